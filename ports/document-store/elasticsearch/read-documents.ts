import type { DocumentId } from '../../../schemas/ids.ts';
import type { SourceVersion } from '../../../schemas/version.ts';
import type { DocumentSummary, ListRequest, ReadOptions, StoredDocument } from '../document-store.ts';
import { isName } from '../is-name.ts';
import type { Connection } from './connection.ts';
import { decodeVector, storedDocument, storedId, type DocumentBody } from './document-body.ts';
import {
  effectiveFloors,
  parseTableKey,
  tableKey,
  tableKeyOf,
  type EffectiveFloors,
  type FloorsState,
} from './floors.ts';
import { multiGet } from './multi-get.ts';
import type { Clause } from './clause.ts';
import { belowFloors } from './scope-query.ts';
import { FLOORS_ID, parseState, type StateSource } from './state-records.ts';

/** Whole documents that one request reads. */
const READ_DOCUMENTS = 100;
/** Documents that one page of a search holds at most; Elasticsearch takes 10,000. */
const PAGE = 1_000;
const MAX_KEYS = 1_000;
/** Searches for vectors by key: each finds at least one key more, unless none is left to be found. */
const MAX_KEY_ROUNDS = 3;

/** A page of a search that is ordered by id. */
export interface SortedPage<Source> {
  readonly hits: { readonly hits: readonly { readonly _source: Source; readonly sort: readonly [DocumentId] }[] };
}

/** Reads documents, summaries and vectors back. */
export class DocumentReads {
  readonly #connection: Connection;
  readonly #index: string;
  readonly #seen: (floors: EffectiveFloors) => void;

  /** @param seen hears of the range tombstones that a read has met: what it has hidden must not be found by the next search */
  constructor(connection: Connection, index: string, seen: (floors: EffectiveFloors) => void) {
    this.#connection = connection;
    this.#index = index;
    this.#seen = seen;
  }

  /** Documents by id, as durable unless they are wanted as searched, in the order asked; undefined for unknown ones and for what lies below a range tombstone. */
  async read(
    ids: readonly DocumentId[],
    options: ReadOptions,
    signal?: AbortSignal,
  ): Promise<(StoredDocument | undefined)[]> {
    const found: (StoredDocument | undefined)[] = [];
    for (let i = 0; i < ids.length; i += READ_DOCUMENTS)
      found.push(...(await this.#read(ids.slice(i, i + READ_DOCUMENTS), options, signal)));
    return found;
  }

  async #read(
    ids: readonly DocumentId[],
    options: ReadOptions,
    signal?: AbortSignal,
  ): Promise<(StoredDocument | undefined)[]> {
    const named = ids.filter((id) => id !== '' && isName(id));
    if (named.length === 0) return ids.map(() => undefined);
    const { vectors = false, asSearched = false } = options;
    const get = (wanted: readonly string[], query: Readonly<Record<string, boolean>>) =>
      multiGet<DocumentBody & StateSource>(
        this.#connection,
        this.#index,
        wanted.map((_id) => ({ _id })),
        query,
        signal,
      );
    const query = vectors ? { _source_exclude_vectors: false } : {};
    // Range tombstones hold at once, also for what is read as searches see it.
    const docs = asSearched
      ? [...(await get(named.map(storedId), { ...query, realtime: false })), ...(await get([FLOORS_ID], {}))]
      : await get([...named.map(storedId), FLOORS_ID], query);
    const floors = effectiveFloors(parseState<FloorsState>(docs.at(-1)));
    this.#seen(floors);
    const found = new Map(
      docs.slice(0, -1).flatMap(({ _source: body }) => {
        if (!body || BigInt(body.version) < (floors.get(tableKeyOf(body.id) ?? '') ?? 0n)) return [];
        return [[body.id, storedDocument(body, vectors)] as const];
      }),
    );
    return ids.map((id) => found.get(id));
  }

  /** Summaries in the order of the ids. */
  async list(request: ListRequest, floors: EffectiveFloors, signal?: AbortSignal): Promise<DocumentSummary[]> {
    const { limit, source, table, includeDeleted = false } = request;
    const filter: Clause[] = [{ exists: { field: 'id' } }];
    if (!includeDeleted) filter.push({ term: { deleted: false } });
    if (source !== undefined) {
      const key = parseTableKey(tableKey(source, table ?? 'any'));
      filter.push({ term: { source: key.source } });
      if (table !== undefined) filter.push({ term: { table: key.table } });
    }
    const query = { bool: { filter, must_not: belowFloors(floors) } };
    const listed: DocumentSummary[] = [];
    for (let after = request.after; listed.length < limit;) {
      const size = Math.min(PAGE, limit - listed.length);
      const page = await this.page<DocumentBody>(query, SUMMARY_FIELDS, size, after, signal);
      listed.push(...page.map(summary));
      after = page.at(-1)?.id;
      if (page.length < size) break;
    }
    return listed;
  }

  /** A page of the sources of documents, in the order of their ids. */
  async page<Source>(
    query: Clause,
    fields: readonly string[],
    size: number,
    after: DocumentId | undefined,
    signal?: AbortSignal,
  ): Promise<Source[]> {
    const reply = await this.#connection.repeatable<SortedPage<Source>>(
      'list documents',
      {
        method: 'POST',
        path: `/${this.#index}/_search`,
        query: { allow_partial_search_results: false },
        body: {
          size,
          query,
          _source: fields,
          sort: [{ id: 'asc' }],
          track_total_hits: false,
          ...(after !== undefined && { search_after: [after] }),
        },
      },
      signal,
    );
    return reply.hits.hits.map(({ _source }) => _source);
  }

  /** Vectors by key, from live documents that have been refreshed; found by search, then read by id. */
  async vectors(keys: readonly string[], signal?: AbortSignal): Promise<(Float32Array | undefined)[]> {
    const found = new Map<string, Float32Array>();
    const wanted = [...new Set(keys)].filter(isName);
    for (let i = 0; i < wanted.length; i += MAX_KEYS)
      await this.#vectorsOf(wanted.slice(i, i + MAX_KEYS), found, signal);
    return keys.map((key) => found.get(key));
  }

  async #vectorsOf(keys: readonly string[], found: Map<string, Float32Array>, signal?: AbortSignal): Promise<void> {
    let missing = keys;
    // A text that stands in many documents fills a reply with itself; the next one leaves it out.
    for (let round = 0; round < MAX_KEY_ROUNDS && missing.length > 0; round++) {
      const holders = await this.#holders(missing, signal);
      if (holders.length === 0) return;
      const docs = await multiGet<Pick<DocumentBody, 'passages'>>(
        this.#connection,
        this.#index,
        holders.map((id) => ({ _id: storedId(id) })),
        { _source_exclude_vectors: false, _source_includes: 'passages.vectorKey,passages.vector' },
        signal,
      );
      for (const passage of docs.flatMap(({ _source }) => _source?.passages ?? []))
        if (passage.vector !== undefined && !found.has(passage.vectorKey))
          found.set(passage.vectorKey, decodeVector(passage.vector));
      missing = missing.filter((key) => !found.has(key));
    }
  }

  /** Documents that hold a vector for one of the keys. */
  async #holders(keys: readonly string[], signal?: AbortSignal): Promise<readonly DocumentId[]> {
    const passages: Clause = {
      bool: { filter: [{ terms: { 'passages.vectorKey': keys } }, { term: { 'passages.hasVector': true } }] },
    };
    const query: Clause = {
      bool: { filter: [{ term: { deleted: false } }, { nested: { path: 'passages', query: passages } }] },
    };
    const reply = await this.#connection.repeatable<{
      readonly hits: { readonly hits: readonly { readonly _source: Pick<DocumentBody, 'id'> }[] };
    }>(
      'find vectors',
      {
        method: 'POST',
        path: `/${this.#index}/_search`,
        body: { size: Math.min(keys.length, READ_DOCUMENTS), query, _source: ['id'], track_total_hits: false },
      },
      signal,
    );
    return reply.hits.hits.map(({ _source: { id } }) => id);
  }
}

const SUMMARY_FIELDS = ['id', 'version', 'deleted', 'contentHash', 'passageCount'];

function summary(body: DocumentBody): DocumentSummary {
  const { id, deleted, contentHash, passageCount: passages } = body;
  return { id, version: BigInt(body.version) as SourceVersion, deleted, contentHash, passages };
}
