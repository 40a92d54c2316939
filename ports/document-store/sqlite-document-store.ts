import type { Clock } from '../../runtime/clock.ts';
import { silentLogger, type Logger } from '../../runtime/logger.ts';
import type { DocumentId } from '../../schemas/ids.ts';
import { CheckpointThread } from '../checkpoint-thread.ts';
import type { Sqlite, Statement } from '../sqlite.ts';
import type {
  DocumentStore,
  DocumentSummary,
  DocumentWrite,
  Fusion,
  Hit,
  ListRequest,
  SourceProgress,
  StoredDocument,
  StoreProgress,
  StoreQuery,
  StoreReply,
  WriteOutcome,
} from './document-store.ts';
import { WriteApplier } from './sqlite/apply-writes.ts';
import { openIndexFile, REMEDY, type IndexFile } from './sqlite/open-index-file.ts';
import { Positions } from './sqlite/positions.ts';
import { DocumentReads } from './sqlite/read-documents.ts';
import { isName } from './is-name.ts';
import { SearchSession } from './sqlite/search-session.ts';
import { SearchThread } from './sqlite/search-thread.ts';
import type { Searcher } from './sqlite/searcher.ts';
import { WordSegments } from './sqlite/word-segments.ts';

/** Where the index lies and how long its vectors are; whose clock it waits by. */
export interface SqliteDocumentStoreOptions extends IndexFile {
  readonly clock: Clock;
  readonly logger?: Logger;
}

/**
 * The index in one SQLite file: FTS5 for the words, a scan of codes and an exact comparison for the vectors. Writes and reads by id run
 * here, searches in a thread of their own.
 */
export class SqliteDocumentStore implements DocumentStore {
  readonly #db: Sqlite;
  readonly #positions: Positions;
  readonly #writes: WriteApplier;
  readonly #reads: DocumentReads;
  readonly #searcher: Searcher;
  readonly #words: WordSegments;
  readonly #checkpoints: CheckpointThread;
  readonly #counts: Statement<{ source: string; documents: bigint; passages: bigint; vectors: bigint }>;
  #writing: Promise<unknown> = Promise.resolve();

  constructor(options: SqliteDocumentStoreOptions) {
    const { dimensions, clock, logger = silentLogger } = options;
    const db = openIndexFile(options);
    this.#db = db;
    this.#positions = new Positions(db);
    this.#writes = new WriteApplier(db, clock, dimensions, this.#positions);
    this.#reads = new DocumentReads(db);
    this.#searcher = searcherOf(db, options);
    this.#words = new WordSegments(db, clock);
    this.#checkpoints = new CheckpointThread(db, clock, { path: options.path, remedy: REMEDY });
    this.#counts = db.prepare('SELECT source, documents, passages, vectors FROM counts ORDER BY source');
    logger.debug('The index is open.', { dimensions });
  }

  /** Calls are applied one after the other: the slices of two calls do not mix. What is written is found before it is durable. */
  async write(writes: readonly DocumentWrite[], signal?: AbortSignal): Promise<readonly WriteOutcome[]> {
    const applied = this.#writing.then(() => this.#writes.apply(writes, signal));
    this.#writing = applied.then(() => this.#words.merge(passagesOf(writes))).catch(() => undefined); // the next write meets the failure, too
    const outcomes = await applied;
    await this.#db.durable();
    return outcomes;
  }

  async read(
    ids: readonly DocumentId[],
    options: { readonly vectors?: boolean } = {},
    signal?: AbortSignal,
  ): Promise<readonly (StoredDocument | undefined)[]> {
    signal?.throwIfAborted();
    return this.#db.snapshot(() =>
      ids.map((id) => (isName(id) ? this.#reads.read(id, options.vectors ?? false) : undefined)),
    );
  }

  search(query: StoreQuery, signal?: AbortSignal): Promise<StoreReply> {
    return this.#searcher.search(query, signal);
  }

  best(query: StoreQuery, fusion: Fusion, signal?: AbortSignal): Promise<readonly Hit[]> {
    return this.#searcher.best(query, fusion, signal);
  }

  async vectors(vectorKeys: readonly string[], signal?: AbortSignal): Promise<readonly (Float32Array | undefined)[]> {
    signal?.throwIfAborted();
    return this.#db.snapshot(() => vectorKeys.map((key) => this.#reads.vectorByKey(key)));
  }

  /** What is written is found. */
  async searchable(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
  }

  async progress(signal?: AbortSignal): Promise<StoreProgress> {
    signal?.throwIfAborted();
    const { counts, positions } = this.#db.snapshot(() => ({
      counts: this.#counts.all(),
      positions: this.#positions.all(),
    }));
    const sources: Record<string, SourceProgress> = {};
    let passages = 0;
    let passagesWithVector = 0;
    const bySource = new Map(counts.map((row) => [row.source, row]));
    for (const source of new Set([...bySource.keys(), ...positions.keys()])) {
      const count = bySource.get(source);
      sources[source] = {
        searchable: positions.get(source)?.searchable,
        complete: positions.get(source)?.complete,
        documents: Number(count?.documents ?? 0),
        passages: Number(count?.passages ?? 0),
      };
      passages += Number(count?.passages ?? 0);
      passagesWithVector += Number(count?.vectors ?? 0);
    }
    return { sources, passages, passagesWithVector };
  }

  async list(request: ListRequest, signal?: AbortSignal): Promise<readonly DocumentSummary[]> {
    signal?.throwIfAborted();
    return this.#db.guard(() => this.#reads.list(request));
  }

  /**
   * Leaves nothing of removed documents in the file or beside it: their words stay in the full-text index until its segments are
   * merged, which this does. Part of an erasure; the event loop runs in between.
   */
  expunge(signal?: AbortSignal): Promise<void> {
    const expunged = this.#writing.then(() => this.#words.expunge(signal));
    this.#writing = expunged.catch(() => undefined);
    return expunged;
  }

  /** Waits for the writes that were made, and closes the file. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writing;
    await this.#searcher.close();
    await this.#checkpoints.close();
    this.#db.close();
  }
}

function passagesOf(writes: readonly DocumentWrite[]): number {
  return writes.reduce((sum, write) => sum + (write.kind === 'replace' ? write.passages.length : 0), 0);
}

/** A thread can only be of a compiled program: from source, and in memory, searches run here. */
function searcherOf(db: Sqlite, options: IndexFile): Searcher {
  if (!db.isMemory && import.meta.url.endsWith('.js')) return new SearchThread(options);
  const session = new SearchSession(db, options.dimensions);
  return {
    async search(query, signal) {
      signal?.throwIfAborted();
      return session.search(query);
    },
    async best(query, fusion, signal) {
      signal?.throwIfAborted();
      return session.best(query, fusion);
    },
    close: async () => undefined,
  };
}

/** @throws StorageFailed when the file is damaged, of another format or model, or cannot be opened. */
export function openSqliteDocumentStore(options: SqliteDocumentStoreOptions): SqliteDocumentStore {
  return new SqliteDocumentStore(options);
}
