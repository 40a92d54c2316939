import type { Hit } from '../../ports/document-store/document-store.ts';
import type { SearchResult } from '../../schemas/query.ts';

/** A hit as the API shows it. Scores and vectors stay inside: they would tell about texts that the caller cannot see (S34). */
export function toSearchResult(hit: Hit, index: number): SearchResult {
  return {
    passageId: hit.passage.id,
    documentId: hit.documentId,
    title: hit.title,
    headings: [...hit.passage.headings],
    text: hit.passage.text,
    rank: index + 1,
    version: hit.version.toString(),
    committedAt: hit.committedAt,
    indexedAt: hit.indexedAt,
    source: hit.source,
    span: { start: hit.passage.start, end: hit.passage.end },
    metadata: mutable(hit.metadata),
  };
}

function mutable(metadata: Hit['metadata']): SearchResult['metadata'] {
  return metadata as SearchResult['metadata'];
}
