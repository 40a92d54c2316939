import type { Cache } from '../cache/cache.ts';
import { documentTag, tableTag } from '../cache/document-tags.ts';
import type { DocumentStore, DocumentWrite } from './document-store.ts';

/**
 * A store whose writes remove from a cache what was made from the documents they change. It happens once the write is there for `read`, before the
 * call resolves, whatever became of the write: one that failed may have been applied in part, and one that comes back `stale` may repeat a
 * write whose process died before the cache was told. Who puts something into the cache looks at the documents again afterwards: then
 * either it sees the write, or the write sees the entry.
 */
export function forgettingStore(store: DocumentStore, cache: Pick<Cache, 'deleteTagged'>): DocumentStore {
  return {
    async write(writes, signal) {
      try {
        return await store.write(writes, signal);
      } finally {
        const tags = [...new Set(writes.flatMap(changed))];
        // Without the signal: a process that stops must not leave behind what was deleted.
        if (tags.length > 0) await cache.deleteTagged(tags);
      }
    },
    read: (ids, options, signal) => store.read(ids, options, signal),
    search: (query, signal) => store.search(query, signal),
    best: (query, fusion, signal) => store.best(query, fusion, signal),
    vectors: (vectorKeys, signal) => store.vectors(vectorKeys, signal),
    searchable: (signal) => store.searchable(signal),
    progress: (signal) => store.progress(signal),
    list: (request, signal) => store.list(request, signal),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
}

/** Tags of what a write changes; a vector changes no text, a position no document. */
function changed(write: DocumentWrite): readonly string[] {
  switch (write.kind) {
    case 'replace':
      return [documentTag(write.document.id)];
    case 'remove':
    case 'touch':
      return [documentTag(write.id)];
    case 'remove-below':
      return [tableTag(write.source, write.table)];
    case 'attach-vectors':
    case 'advance':
      return [];
  }
}
