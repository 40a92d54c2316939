import { getLoadablePath } from 'sqlite-vec';
import type { Clock } from '../../runtime/clock.ts';
import { EmbeddingInvalid, StoreUnavailable } from '../../runtime/errors.ts';
import { silentLogger, type Logger } from '../../runtime/logger.ts';
import type { DocumentId } from '../../schemas/ids.ts';
import { Sqlite, type Statement } from '../sqlite.ts';
import type {
  DocumentStore,
  DocumentSummary,
  DocumentWrite,
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
import { Positions } from './sqlite/positions.ts';
import { DocumentReads } from './sqlite/read-documents.ts';
import { createSchema, PAGE_BYTES } from './sqlite/schema.ts';
import { isName } from './is-name.ts';
import { SearchLegs, type Ranked } from './sqlite/search-legs.ts';
import { WordSegments } from './sqlite/word-segments.ts';

/** Where the index lies and how long its vectors are. */
export interface SqliteDocumentStoreOptions {
  /** A file, whose folder is created; or `:memory:`. */
  readonly path: string;
  /** Length of every vector. */
  readonly dimensions: number;
  readonly clock: Clock;
  readonly logger?: Logger;
  /** Largest size of the file, bytes; a write that would exceed it is a StorageFailed. The disk is the limit when absent. */
  readonly maxBytes?: number;
}

const REMEDY = 'Stop freshet and delete the folder of the index: it is built again from the log.';

/** The index in one SQLite file: FTS5 for the words, an exact scan for the vectors. */
export class SqliteDocumentStore implements DocumentStore {
  readonly #db: Sqlite;
  readonly #dimensions: number;
  readonly #positions: Positions;
  readonly #writes: WriteApplier;
  readonly #reads: DocumentReads;
  readonly #legs: SearchLegs;
  readonly #words: WordSegments;
  readonly #counts: Statement<{ source: string; documents: bigint; passages: bigint; vectors: bigint }>;
  #writing: Promise<unknown> = Promise.resolve();

  constructor(options: SqliteDocumentStoreOptions) {
    const { path, dimensions, clock, logger = silentLogger, maxBytes } = options;
    const db = new Sqlite({
      path,
      pageBytes: PAGE_BYTES,
      ...(maxBytes !== undefined && { maxBytes }),
      remedy: REMEDY,
      busy: (message, cause) => new StoreUnavailable(message, cause),
    });
    db.loadExtension(getLoadablePath());
    createSchema(db, dimensions);
    this.#db = db;
    this.#dimensions = dimensions;
    this.#positions = new Positions(db);
    this.#writes = new WriteApplier(db, clock, dimensions, this.#positions);
    this.#reads = new DocumentReads(db);
    this.#legs = new SearchLegs(db);
    this.#words = new WordSegments(db, clock);
    this.#counts = db.prepare('SELECT source, documents, passages, vectors FROM counts ORDER BY source');
    logger.debug('The index is open.', { dimensions });
  }

  /** Calls are applied one after the other: the slices of two calls do not mix. */
  write(writes: readonly DocumentWrite[], signal?: AbortSignal): Promise<readonly WriteOutcome[]> {
    const applied = this.#writing.then(() => this.#writes.apply(writes, signal));
    this.#writing = applied.catch(() => undefined);
    return applied;
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

  async search(query: StoreQuery, signal?: AbortSignal): Promise<StoreReply> {
    signal?.throwIfAborted();
    const { scope, lexical, dense } = query;
    if (dense && dense.vector.length !== this.#dimensions)
      throw new EmbeddingInvalid(
        `the vector of the query has ${dense.vector.length} dimensions, not ${this.#dimensions}`,
      );
    return this.#db.snapshot(() => ({
      lexical: this.#hits(lexical ? this.#legs.lexical(scope, lexical) : []),
      dense: this.#hits(dense ? this.#legs.dense(scope, dense) : []),
    }));
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
    this.#db.close();
  }

  #hits(ranked: readonly Ranked[]): Hit[] {
    return ranked.flatMap(({ passage, score }) => this.#reads.hit(passage, score) ?? []);
  }
}

/** @throws StorageFailed when the file is damaged, of another format or model, or cannot be opened. */
export function openSqliteDocumentStore(options: SqliteDocumentStoreOptions): SqliteDocumentStore {
  return new SqliteDocumentStore(options);
}
