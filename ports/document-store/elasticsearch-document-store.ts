import type { Clock, Random } from '../../runtime/clock.ts';
import { EmbeddingInvalid } from '../../runtime/errors.ts';
import { silentLogger, type Logger } from '../../runtime/logger.ts';
import type { Metrics } from '../../runtime/metrics.ts';
import { Opened } from '../../runtime/opened.ts';
import type { DocumentId } from '../../schemas/ids.ts';
import type {
  AdvancePosition,
  DocumentStore,
  DocumentSummary,
  DocumentWrite,
  Fusion,
  Hit,
  ListRequest,
  ReadOptions,
  SourceProgress,
  StoredDocument,
  StoreProgress,
  StoreQuery,
  StoreReply,
  WriteOutcome,
} from './document-store.ts';
import { Coalesced } from './elasticsearch/coalesced.ts';
import { Connection, openClient, sendBy, type ConnectionOptions, type Send } from './elasticsearch/connection.ts';
import { countBySource, type Counts } from './elasticsearch/counts.ts';
import { idOf, type OneDocumentWrite } from './elasticsearch/decide-writes.ts';
import { fuseHits } from './fuse.ts';
import { effectiveFloors, highestFloors, type EffectiveFloors, type FloorsState } from './elasticsearch/floors.ts';
import { aliasedGeneration, Generation, type IndexHealth } from './elasticsearch/generation.ts';
import { Positions } from './elasticsearch/positions.ts';
import { DocumentReads } from './elasticsearch/read-documents.ts';
import { readForWrite } from './elasticsearch/read-for-write.ts';
import { Refresher, unlessAborted } from './elasticsearch/refresher.ts';
import { SearchLegs } from './elasticsearch/search-legs.ts';
import { FLOORS_ID, StateRecords } from './elasticsearch/state-records.ts';
import { Sweep } from './elasticsearch/sweep.ts';
import { InTurn } from './elasticsearch/in-turn.ts';
import { DocumentWriter } from './elasticsearch/write-documents.ts';

/** Where the index lies and what it is made for. */
export interface ElasticsearchDocumentStoreOptions extends Pick<
  ConnectionOptions,
  'nodes' | 'auth' | 'ca' | 'requestTimeoutMs'
> {
  /** What the generation that is served is known as; every generation's name begins with it and a hyphen. */
  readonly alias: string;
  /** `<alias>-<model fingerprint>-<chunker>-<n>`; created when it is not there. */
  readonly generation: string;
  /** Length of every vector. */
  readonly dimensions: number;
  readonly shards?: number;
  readonly replicas?: number;
  /** Under load, what was written becomes searchable at least this often, ms; sooner when little is written. */
  readonly refreshIntervalMs?: number;
  /** Analyzer of the words: `english`, `standard`, or another one that the cluster has built in. */
  readonly analyzer?: string;
  /** Largest bulk request, bytes; a document that is larger goes alone. */
  readonly maxBulkBytes?: number;
  /** Counts in `progress` may be this old, ms. Positions never are. */
  readonly countsMaxAgeMs?: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger?: Logger;
  readonly metrics?: Pick<Metrics, 'retries'>;
  /** Stands between the store and the client, for tests that lose requests and replies. */
  readonly intercept?: (send: Send) => Send;
}

const DEFAULTS = {
  shards: 2,
  replicas: 1,
  refreshIntervalMs: 1_000,
  analyzer: 'english',
  maxBulkBytes: 8_388_608,
  countsMaxAgeMs: 1_000,
} as const;

/** Range tombstones that searches go by are at most this old, ms. What lies below one is removed by then; they hide what a dying writer left. */
const FLOORS_MAX_AGE_MS = 1_000;

/** The index in Elasticsearch: one document with nested passages for each source document (docs/adr/0010-elasticsearch-index.md). */
export class ElasticsearchDocumentStore implements DocumentStore {
  readonly #options: ElasticsearchDocumentStoreOptions & typeof DEFAULTS;
  readonly #connection: Connection;
  readonly #opened: Opened;
  readonly #closing = new AbortController();
  readonly #generation: Generation;
  readonly #records: StateRecords;
  readonly #reads: DocumentReads;
  readonly #writer: DocumentWriter;
  readonly #sweep: Sweep;
  readonly #positions: Positions;
  readonly #legs: SearchLegs;
  readonly #refresher: Refresher;
  readonly #turns = new InTurn<DocumentId>();
  readonly #progress: Coalesced<StoreProgress>;
  #floors: { readonly floors: EffectiveFloors; readonly readAtMs: number } | undefined;
  #counts: { readonly counts: ReadonlyMap<string, Counts>; readonly readAtMs: number } | undefined;

  constructor(options: ElasticsearchDocumentStoreOptions) {
    const {
      alias,
      generation: index,
      clock,
      random,
      logger = silentLogger,
      intercept = (send: Send) => send,
    } = options;
    const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
    this.#options = { ...DEFAULTS, ...given } as ElasticsearchDocumentStoreOptions & typeof DEFAULTS;
    const client = openClient({ ...options, logger });
    this.#opened = new Opened();
    this.#opened.defer(() => client.close());
    this.#connection = new Connection(intercept(sendBy(client)), { ...options, logger });
    this.#generation = new Generation(this.#connection, { alias, generation: index }, this.#options);
    const marks = markMaker(random);
    const { signal } = this.#closing;
    this.#records = new StateRecords(this.#connection, index, marks);
    const seen = (floors: EffectiveFloors): void => this.#keepFloors(floors);
    this.#reads = new DocumentReads(this.#connection, index, seen);
    this.#refresher = new Refresher(this.#connection, { index, intervalMs: this.#options.refreshIntervalMs }, signal);
    const read = readForWrite(this.#connection, index, seen);
    const { dimensions, maxBulkBytes } = this.#options;
    this.#writer = new DocumentWriter(this.#connection, read, marks, {
      index,
      dimensions,
      maxBulkBytes,
      written: (bytes) => this.#refresher.written(bytes),
    });
    this.#sweep = new Sweep(this.#records, this.#reads, this.#writer, this.#refresher);
    this.#positions = new Positions(this.#records);
    this.#legs = new SearchLegs(this.#connection, index);
    this.#progress = new Coalesced(() => this.#readProgress(signal));
    logger.debug('The index is open.', { generation: index, now: clock.now() });
  }

  /** Creates what is missing (template, index), checks that the index fits, and gives it the alias where no other has it. Idempotent. */
  async setup(signal?: AbortSignal): Promise<void> {
    await this.#generation.prepare(signal);
    await this.#generation.claimAlias(signal);
  }

  /** Makes this generation the one that the alias names. */
  promote(signal?: AbortSignal): Promise<void> {
    return this.#generation.promote(signal);
  }

  /** Removes this generation for good. */
  retire(signal?: AbortSignal): Promise<void> {
    return this.#generation.retire(signal);
  }

  /** How well index and cluster are; for readiness. @throws StoreUnavailable when nothing answers. */
  health(signal?: AbortSignal): Promise<IndexHealth> {
    return this.#generation.health(signal);
  }

  searchable(signal?: AbortSignal): Promise<void> {
    return this.#refresher.run(signal);
  }

  /** Merges away what was removed, so that no file of the index holds it; part of an erasure. Takes as long as the merge. */
  async expunge(signal?: AbortSignal): Promise<void> {
    const { generation } = this.#options;
    await this.#connection.repeatable('flush the index', { method: 'POST', path: `/${generation}/_flush` }, signal);
    const query = { only_expunge_deletes: true, wait_for_completion: true };
    await this.#connection.repeatable(
      'merge the index',
      { method: 'POST', path: `/${generation}/_forcemerge`, query },
      signal,
    );
  }

  async write(writes: readonly DocumentWrite[], signal?: AbortSignal): Promise<readonly WriteOutcome[]> {
    signal?.throwIfAborted();
    const outcomes: WriteOutcome[] = [];
    for (const run of runs(writes)) {
      if (run.kind === 'documents') outcomes.push(...(await this.#writeDocuments(run.writes, signal)));
      else if (run.kind === 'advances') outcomes.push(...(await this.#advance(run.writes, signal)));
      else {
        outcomes.push(await this.#sweep.removeBelow(run.write, signal));
        this.#floors &&= { ...this.#floors, readAtMs: Number.NEGATIVE_INFINITY };
      }
    }
    this.#counts = undefined;
    return outcomes;
  }

  read(
    ids: readonly DocumentId[],
    options: ReadOptions = {},
    signal?: AbortSignal,
  ): Promise<readonly (StoredDocument | undefined)[]> {
    return this.#reads.read(ids, options, signal);
  }

  async search(query: StoreQuery, signal?: AbortSignal): Promise<StoreReply> {
    signal?.throwIfAborted();
    const { dimensions } = this.#options;
    if (query.dense && query.dense.vector.length !== dimensions)
      throw new EmbeddingInvalid(
        `the vector of the query has ${query.dense.vector.length} dimensions, not ${dimensions}`,
      );
    return this.#legs.search(query, await this.#recentFloors(signal), signal);
  }

  async best(query: StoreQuery, fusion: Fusion, signal?: AbortSignal): Promise<readonly Hit[]> {
    return fuseHits(await this.search(query, signal), fusion);
  }

  vectors(vectorKeys: readonly string[], signal?: AbortSignal): Promise<readonly (Float32Array | undefined)[]> {
    return this.#reads.vectors(vectorKeys, signal);
  }

  async progress(signal?: AbortSignal): Promise<StoreProgress> {
    signal?.throwIfAborted();
    const progress = this.#progress.run();
    return signal ? unlessAborted(progress, signal) : progress;
  }

  /** Sees every write that has resolved: the index is refreshed before the first page. */
  async list(request: ListRequest, signal?: AbortSignal): Promise<readonly DocumentSummary[]> {
    if (request.after === undefined) await this.#refresher.run(signal);
    return this.#reads.list(request, await this.#recentFloors(signal), signal);
  }

  /** Waits for the writes that were made, and closes the connections. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#turns.idle();
    this.#closing.abort();
    await this.#opened[Symbol.asyncDispose]();
  }

  /** Calls on the same document wait for each other; others go side by side. */
  #writeDocuments(writes: readonly OneDocumentWrite[], signal?: AbortSignal): Promise<readonly WriteOutcome[]> {
    return this.#turns.run(writes.map(idOf), () => this.#writer.apply(writes, signal));
  }

  /** What a position claims is searchable on every copy before the position is stored. */
  async #advance(writes: readonly AdvancePosition[], signal?: AbortSignal): Promise<readonly WriteOutcome[]> {
    await this.#refresher.run(signal);
    return this.#positions.advance(writes, signal);
  }

  async #readProgress(signal: AbortSignal): Promise<StoreProgress> {
    const places = await this.#positions.all(signal);
    const counts = await this.#recentCounts(signal);
    const sources: Record<string, SourceProgress> = {};
    for (const source of [...new Set([...counts.keys(), ...places.keys()])].toSorted()) {
      const { documents = 0, passages = 0 } = counts.get(source) ?? {};
      const { searchable, complete } = places.get(source) ?? { searchable: undefined, complete: undefined };
      sources[source] = { searchable, complete, documents, passages };
    }
    const sum = (of: 'passages' | 'vectors'): number => [...counts.values()].reduce((all, each) => all + each[of], 0);
    return { sources, passages: sum('passages'), passagesWithVector: sum('vectors') };
  }

  async #recentCounts(signal: AbortSignal): Promise<ReadonlyMap<string, Counts>> {
    const { clock } = this.#connection;
    const { generation, countsMaxAgeMs } = this.#options;
    if (this.#counts && clock.monotonicMs() - this.#counts.readAtMs < countsMaxAgeMs) return this.#counts.counts;
    const readAtMs = clock.monotonicMs();
    const counts = await countBySource(this.#connection, generation, await this.#recentFloors(signal), signal);
    this.#counts = { counts, readAtMs };
    return counts;
  }

  async #recentFloors(signal?: AbortSignal): Promise<EffectiveFloors> {
    const { clock } = this.#connection;
    if (this.#floors && clock.monotonicMs() - this.#floors.readAtMs < FLOORS_MAX_AGE_MS) return this.#floors.floors;
    const [state] = await this.#records.read([FLOORS_ID], signal);
    const floors = effectiveFloors(state as FloorsState | undefined);
    this.#keepFloors(floors);
    return floors;
  }

  /** A read that was overtaken by a younger one does not make it undone. */
  #keepFloors(floors: EffectiveFloors): void {
    const known = this.#floors?.floors;
    const kept = known ? highestFloors(known, floors) : floors;
    this.#floors = { floors: kept, readAtMs: this.#connection.clock.monotonicMs() };
  }
}

/**
 * Connects, and creates the generation where it is missing.
 * @throws InvalidConfig, ModelMismatch, StorageFailed, or StoreUnavailable when nothing answers.
 */
export async function openElasticsearchDocumentStore(
  options: ElasticsearchDocumentStoreOptions,
  signal?: AbortSignal,
): Promise<ElasticsearchDocumentStore> {
  const store = new ElasticsearchDocumentStore(options);
  try {
    await store.setup(signal);
    return store;
  } catch (error) {
    await store[Symbol.asyncDispose]();
    throw error;
  }
}

/** The generation that the alias names; undefined when there is none yet. */
export async function currentElasticsearchGeneration(
  options: ConnectionOptions & { readonly alias: string },
  signal?: AbortSignal,
): Promise<string | undefined> {
  const client = openClient(options);
  try {
    return await aliasedGeneration(new Connection(sendBy(client), options), options.alias, signal);
  } finally {
    await client.close();
  }
}

type Run =
  | { readonly kind: 'documents'; readonly writes: OneDocumentWrite[] }
  | { readonly kind: 'advances'; readonly writes: AdvancePosition[] }
  | { readonly kind: 'remove-below'; readonly write: Extract<DocumentWrite, { kind: 'remove-below' }> };

/** Writes that can be made together, in the order of the call. */
function runs(writes: readonly DocumentWrite[]): Run[] {
  const all: Run[] = [];
  for (const write of writes) {
    const last = all.at(-1);
    if (write.kind === 'remove-below') all.push({ kind: 'remove-below', write });
    else if (write.kind === 'advance') {
      if (last?.kind === 'advances') last.writes.push(write);
      else all.push({ kind: 'advances', writes: [write] });
    } else if (last?.kind === 'documents') last.writes.push(write);
    else all.push({ kind: 'documents', writes: [write] });
  }
  return all;
}

/** Marks that no two writes share, in this process or another. */
function markMaker(random: Random): () => string {
  const part = (): string => Math.floor(random() * 2 ** 48).toString(36);
  const instance = `${part()}${part()}`;
  let count = 0;
  return () => `${instance}.${(count++).toString(36)}`;
}
