import type { Cache } from '../../ports/cache/cache.ts';
import { Sqlite } from '../../ports/sqlite.ts';
import { StorageFailed } from '../../runtime/errors.ts';

/**
 * Vectors of passages in a file, by the key that the pipeline gives them (model and text): a second run computes only what is new. Grows
 * without a bound; whoever wants the space deletes the file. Unlike other caches it throws when the file fails.
 */
export function openVectorFile(path: string): Cache {
  const db = new Sqlite({
    path,
    remedy: 'Delete it: its vectors are computed again.',
    busy: (message, cause) => new StorageFailed(message, cause),
  });
  db.exec('CREATE TABLE IF NOT EXISTS vectors (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID');
  const read = db.prepare<{ value: Uint8Array }>('SELECT value FROM vectors WHERE key = ?');
  const add = db.prepare('INSERT OR REPLACE INTO vectors (key, value) VALUES (?, ?)');
  const remove = db.prepare('DELETE FROM vectors WHERE key = ?');
  return {
    get: async (keys) => db.snapshot(() => keys.map((key) => read.get(key)?.value)),
    set: async (entries) =>
      db.transaction(() => {
        for (const { key, value } of entries) add.run(key, value);
      }),
    delete: async (keys) =>
      db.transaction(() => {
        for (const key of keys) remove.run(key);
      }),
    deleteTagged: async () => undefined, // vectors have no tags
    [Symbol.asyncDispose]: async () => db.close(),
  };
}
