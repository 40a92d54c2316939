import { createHash } from 'node:crypto';
import { StoreUnavailable } from '../../../runtime/errors.ts';
import type { DocumentId } from '../../../schemas/ids.ts';
import type { SourceVersion } from '../../../schemas/version.ts';
import type { Hit, StoreQuery, StoreReply } from '../document-store.ts';
import { classifyStatus, type ErrorBody } from './classify.ts';
import type { Connection } from './connection.ts';
import { encodeVector, passageOf, type DocumentBody, type PassageBody, type Shown } from './document-body.ts';
import type { EffectiveFloors } from './floors.ts';
import { MAX_INNER_HITS } from './index-mapping.ts';
import { lexicalQuery } from './lexical-query.ts';
import type { Clause } from './clause.ts';
import { scopeQuery } from './scope-query.ts';

/** Elasticsearch gives up on a search after this; the client gives up later. */
const SEARCH_TIMEOUT = '10s';
/** How long both legs' common state is kept; it is given back at once. */
const STATE_KEPT = '15s';
/**
 * Passages that each shard looks at for every hit that is asked for. Several belong to one document, so few of them would be few documents:
 * recall among 50 was 0.96 with 2, 0.98 with 4 and 0.99 with 8, for 3 ms more (docs/adr/0010-elasticsearch-index.md).
 */
const CANDIDATES_PER_HIT = 8;
const MIN_CANDIDATES = 200;
const MAX_CANDIDATES = 10_000;

const DOCUMENT_FIELDS = ['id', 'version', 'shown', 'committedAt', 'indexedAt'];
const PASSAGE_FIELDS = ['ordinal', 'start', 'end', 'tokens', 'headings', 'words', 'raw', 'vectorKey', 'hasVector'].map(
  (field) => `passages.${field}`,
);

interface FoundPassage {
  readonly _score: number;
  readonly _source: PassageBody;
}

interface FoundDocument {
  readonly _source: Pick<DocumentBody, 'id' | 'version' | 'shown' | 'committedAt' | 'indexedAt'>;
  readonly inner_hits: { readonly passages: { readonly hits: { readonly hits: readonly FoundPassage[] } } };
}

interface LegReply {
  readonly status?: number;
  readonly error?: ErrorBody;
  readonly timed_out?: boolean;
  readonly hits?: { readonly hits: readonly FoundDocument[] };
}

/** Runs the legs of a search in one request. Tenant, ACL and filter stand in each of them, before ranking (I10). */
export class SearchLegs {
  readonly #connection: Connection;
  readonly #index: string;

  constructor(connection: Connection, index: string) {
    this.#connection = connection;
    this.#index = index;
  }

  /**
   * Both legs. When the index was refreshed between the two and they found different versions of a document, they are run again on one
   * state that is held for them: that costs two more requests, so it is not done before it is needed.
   */
  async search(query: StoreQuery, floors: EffectiveFloors, signal?: AbortSignal): Promise<StoreReply> {
    const bodies = legBodies(query, floors);
    if (bodies.length === 0) return { lexical: [], dense: [] };
    const preference = preferenceOf(query);
    const reply = await this.#legs(`/${this.#index}/_msearch`, { preference }, bodies, signal);
    if (!haveTwoVersions(reply)) return cut(reply, query);
    const id = await this.#hold(preference, signal);
    try {
      const held = bodies.map((leg) => ({ ...leg, body: { ...leg.body, pit: { id, keep_alive: STATE_KEPT } } }));
      return cut(await this.#legs('/_msearch', {}, held, signal), query);
    } finally {
      await this.#release(id);
    }
  }

  async #legs(path: string, header: object, legs: readonly Leg[], signal?: AbortSignal): Promise<StoreReply> {
    const lines = legs.flatMap(({ name, body }) => {
      // Words weigh the same in every shard: a document must not rank by what lies beside it.
      const statistics = name === 'lexical' ? { search_type: 'dfs_query_then_fetch' } : {};
      const head = { ...header, ...statistics, allow_partial_search_results: false };
      return [JSON.stringify(head), JSON.stringify(body)];
    });
    const { responses } = await this.#connection.repeatable<{ readonly responses: readonly LegReply[] }>(
      'search',
      {
        method: 'POST',
        path,
        body: lines,
        query: { filter_path: 'responses.status,responses.error,responses.timed_out,responses.hits.hits' },
      },
      signal,
      (reply) => legs.forEach((_, i) => checkLeg(reply.responses[i])),
    );
    const hits = new Map(legs.map(({ name }, i) => [name, ranked(responses[i])]));
    return { lexical: hits.get('lexical') ?? [], dense: hits.get('dense') ?? [] };
  }

  async #hold(preference: string, signal?: AbortSignal): Promise<string> {
    const { id } = await this.#connection.repeatable<{ readonly id: string }>(
      'hold a state of the index',
      { method: 'POST', path: `/${this.#index}/_pit`, query: { keep_alive: STATE_KEPT, preference } },
      signal,
    );
    return id;
  }

  async #release(id: string): Promise<void> {
    try {
      await this.#connection.once({ method: 'DELETE', path: '/_pit', body: { id } });
    } catch (error) {
      // It ends by itself.
      this.#connection.logger.debug('A state of the index was not given back.', {
        cause: String((error as Error).name),
      });
    }
  }
}

interface Leg {
  readonly name: 'lexical' | 'dense';
  readonly body: object;
}

function legBodies({ scope, lexical, dense }: StoreQuery, floors: EffectiveFloors): Leg[] {
  const legs: Leg[] = [];
  const visible = scopeQuery(scope, floors);
  const words = lexical && lexicalQuery(lexical.text);
  if (lexical && words && lexical.depth > 0)
    legs.push({ name: 'lexical', body: lexicalBody(words, visible, lexical.depth) });
  if (dense && dense.depth > 0) legs.push({ name: 'dense', body: denseBody(dense.vector, visible, dense.depth) });
  return legs;
}

function lexicalBody(words: Clause, visible: Clause, depth: number): object {
  const passages = { path: 'passages', score_mode: 'max', query: words, inner_hits: innerHits(depth) };
  return { ...shared(depth), query: { bool: { must: [{ nested: passages }], filter: [visible] } } };
}

function denseBody(vector: Float32Array, visible: Clause, depth: number): object {
  const candidates = Math.min(MAX_CANDIDATES, Math.max(MIN_CANDIDATES, CANDIDATES_PER_HIT * depth));
  return {
    ...shared(depth),
    knn: {
      field: 'passages.vector',
      query_vector: encodeVector(vector),
      k: Math.min(depth, candidates),
      num_candidates: candidates,
      filter: [visible],
      inner_hits: innerHits(depth),
    },
  };
}

/** The best `depth` passages lie in the best `depth` documents, a document being as good as its best passage. */
function shared(depth: number): object {
  return { size: depth, track_total_hits: false, timeout: SEARCH_TIMEOUT, _source: DOCUMENT_FIELDS };
}

function innerHits(depth: number): object {
  return { size: Math.min(depth, MAX_INNER_HITS), _source: PASSAGE_FIELDS };
}

/**
 * Callers of one scope ask the same copies of the shards, as long as these live: copies are refreshed one after the other (I3). In
 * hexadecimal, because a preference that begins with `_` is a command to Elasticsearch.
 */
function preferenceOf({ scope: { principal } }: StoreQuery): string {
  const name = JSON.stringify([principal.tenant, principal.subject ?? '', [...principal.groups].toSorted()]);
  return createHash('sha256').update(name).digest('hex');
}

/** @throws StoreUnavailable for half an answer: what it lacks would be taken for not being there. */
function checkLeg(reply: LegReply | undefined): void {
  if (reply?.error) throw classifyStatus(reply.status ?? 503, reply.error);
  if (!reply || reply.timed_out) throw new StoreUnavailable('Elasticsearch did not finish a search in time.');
}

function ranked(reply: LegReply | undefined): Hit[] {
  const hits = (reply?.hits?.hits ?? []).flatMap(({ _source: document, inner_hits: { passages } }) => {
    const { source, title, metadata } = JSON.parse(document.shown) as Shown;
    const { id, committedAt, indexedAt } = document;
    const version = BigInt(document.version) as SourceVersion;
    return passages.hits.hits.map(({ _score: score, _source: body }): Hit => {
      const passage = passageOf(id, body);
      return {
        documentId: id,
        version,
        source,
        title,
        metadata,
        committedAt,
        indexedAt,
        passage,
        hasVector: body.hasVector,
        score,
      };
    });
  });
  return hits.sort(byScore);
}

/** Equal scores are ordered by place, so that the same index gives the same order. */
function byScore(a: Hit, b: Hit): number {
  if (a.score !== b.score) return b.score - a.score;
  if (a.documentId !== b.documentId) return a.documentId < b.documentId ? -1 : 1;
  return a.passage.ordinal - b.passage.ordinal;
}

function haveTwoVersions({ lexical, dense }: StoreReply): boolean {
  const versions = new Map<DocumentId, SourceVersion>(lexical.map((hit) => [hit.documentId, hit.version]));
  return dense.some(({ documentId, version }) => (versions.get(documentId) ?? version) !== version);
}

function cut({ lexical, dense }: StoreReply, query: StoreQuery): StoreReply {
  return { lexical: lexical.slice(0, query.lexical?.depth), dense: dense.slice(0, query.dense?.depth) };
}
