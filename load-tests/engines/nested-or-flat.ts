import { encodeVector } from '../../ports/document-store/elasticsearch/document-body.ts';
import { indexBody } from '../../ports/document-store/elasticsearch/index-mapping.ts';
import { systemClock } from '../../runtime/clock.ts';
import { randomOf, textOf, wordOf } from '../corpus.ts';
import { Figures, load, onLanes, quantile, secondsOf, type Scenario } from '../measure.ts';
import { ask } from '../ask.ts';

const DIMENSIONS = 384;
const PASSAGES = 5;
const PASSAGE_CHARACTERS = 700;
const BULK_DOCUMENTS = 50;
const LANES = 3;
const CLUSTERS = 200;
const DEPTHS = [10, 50] as const;
const SHAPE = { dimensions: DIMENSIONS, shards: 2, replicas: 0, refreshIntervalMs: 1_000, analyzer: 'english' };

type Layout = 'nested' | 'flat';

export const nestedOrFlat: Scenario = {
  name: 'nested-or-flat',
  question: 'One Elasticsearch document for a document with its passages nested, or one for each passage? (ADR 15)',
  async run({ rounds, quick, say }) {
    const figures = new Figures();
    const sizes = (process.env['BENCH_PASSAGES'] ?? (quick ? '2000' : '20000')).split(',').map(Number);
    for (const passages of sizes)
      for (let round = 0; round < rounds; round++)
        for (const layout of round % 2 === 0 ? (['nested', 'flat'] as const) : (['flat', 'nested'] as const)) {
          await once(layout, passages, figures);
          say(`${passages} passages, ${layout}, round ${round + 1}: done, load ${load().toFixed(1)}`);
        }
    return {
      figures: figures.all,
      notes: [
        `${PASSAGES} passages of ${PASSAGE_CHARACTERS} characters for each document, ${DIMENSIONS} dimensions in ${CLUSTERS} clusters, int8_hnsw, 2 shards, no replica, bulk of ${BULK_DOCUMENTS} documents on ${LANES} lanes until refreshed. Sizes: BENCH_PASSAGES=20000,200000.`,
        'Searches one at a time, 200 of each kind after 40 that do not count, as the product asks them: title and text of every hit, inner hits where nested.',
        'replace: one document whole, one at a time, 100 times; flat, that is a look-up of the old passages and a bulk of deletions and additions, and a reader in between sees half of it.',
      ],
    };
  },
};

async function once(layout: Layout, passages: number, figures: Figures): Promise<void> {
  const elasticsearch = (process.env['ELASTICSEARCH_TEST_URL'] ?? '').split(',')[0] ?? '';
  const index = `bench-${layout}-${Math.floor(systemClock.now())}`;
  const url = `${elasticsearch}/${index}`;
  const documents = passages / PASSAGES;
  const add = (what: string, unit: string, value: number): void =>
    figures.add(`${passages} ${layout}: ${what}`, unit, value);
  await ask(url, layout === 'nested' ? indexBody(SHAPE) : flatBody(), 'PUT');
  try {
    // Made before the clock runs, and outside of the heap: 200,000 passages are 0.6 GB.
    const requests = Array.from({ length: documents / BULK_DOCUMENTS }, (_, n) =>
      Buffer.from(
        Array.from({ length: BULK_DOCUMENTS }, (__, i) => linesOf(layout, n * BULK_DOCUMENTS + i, 0)).join(''),
      ),
    );
    const seconds = await secondsOf(async () => {
      await onLanes(LANES, requests.length, async (n) => bulk(url, requests[n] ?? Buffer.alloc(0)));
      await ask(`${url}/_refresh`, undefined, 'POST');
    });
    add('load', 'passages/s', passages / seconds);
    const { _all: all } = await ask<{
      readonly _all: { readonly total: { readonly store: { readonly size_in_bytes: number } } };
    }>(`${url}/_stats/store`);
    add('size', 'MB', all.total.store.size_in_bytes / 1e6);
    for (const depth of DEPTHS)
      for (const leg of ['kNN', 'BM25'] as const) {
        const times: number[] = [];
        for (let i = -40; i < 200; i++) {
          const body = layout === 'nested' ? nestedQuery(leg, depth, i) : flatQuery(leg, depth, i);
          const ms = 1000 * (await secondsOf(() => ask(`${url}/_search`, body)));
          if (i >= 0) times.push(ms);
        }
        add(`${leg}, ${depth} hits, p50`, 'ms', quantile(times, 0.5));
        add(`${leg}, ${depth} hits, p99`, 'ms', quantile(times, 0.99));
      }
    const replaced: number[] = [];
    for (let i = 0; i < 100; i++) replaced.push(1000 * (await secondsOf(() => replace(layout, url, i))));
    add('replace, p50', 'ms', quantile(replaced, 0.5));
    add('load average', '', load());
  } finally {
    await ask(url, undefined, 'DELETE');
  }
}

async function bulk(url: string, lines: string | Buffer): Promise<void> {
  const { errors } = await ask<{ readonly errors: boolean }>(`${url}/_bulk?filter_path=errors`, lines);
  if (errors) throw new Error('a bulk was refused');
}

async function replace(layout: Layout, url: string, n: number): Promise<void> {
  if (layout === 'nested') return bulk(url, linesOf(layout, n, 1));
  const { hits } = await ask<{ readonly hits: { readonly hits: readonly { readonly _id: string }[] } }>(
    `${url}/_search`,
    {
      size: 1_000,
      _source: false,
      query: { term: { document: `d${n}` } },
    },
  );
  const gone = hits.hits.map(({ _id }) => `${JSON.stringify({ delete: { _id } })}\n`).join('');
  await bulk(url, gone + linesOf(layout, n, 1));
}

function vectorOf(seed: number): Float32Array {
  const own = randomOf(seed * 7_919 + 3);
  const shared = randomOf((seed % CLUSTERS) * 104_729 + 5);
  const vector = Float32Array.from({ length: DIMENSIONS }, () => shared() - 0.5 + 0.6 * (own() - 0.5));
  const length = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
  return vector.map((value) => value / length);
}

/** The lines of a bulk that write document `n`. */
function linesOf(layout: Layout, n: number, edition: number): string {
  const common = {
    id: `d${n}`,
    version: String(edition),
    deleted: false,
    source: 'bench',
    table: 't',
    tenant: `t${n % 10}`,
    open: true,
  };
  const titleWords = `Article ${n}`;
  const passages = Array.from({ length: PASSAGES }, (_, ordinal) => {
    const seed = (n * PASSAGES + ordinal) * 3 + edition;
    return {
      ordinal,
      start: ordinal * PASSAGE_CHARACTERS,
      end: (ordinal + 1) * PASSAGE_CHARACTERS,
      tokens: 150,
      words: textOf(seed, PASSAGE_CHARACTERS),
      titleWords,
      vectorKey: `k${seed}`,
      hasVector: true,
      vector: encodeVector(vectorOf(seed)),
    };
  });
  if (layout === 'nested')
    return `${JSON.stringify({ index: { _id: `d${n}` } })}\n${JSON.stringify({ ...common, passageCount: PASSAGES, vectorCount: PASSAGES, passages })}\n`;
  const { id: document, ...rest } = common;
  return passages
    .map(
      (passage) =>
        `${JSON.stringify({ index: { _id: `d${n}/${passage.ordinal}` } })}\n${JSON.stringify({ ...rest, document, ...passage })}\n`,
    )
    .join('');
}

/** The mapping of the product with the passage's fields beside the document's. */
function flatBody(): object {
  const { settings, mappings } = indexBody(SHAPE) as {
    readonly settings: object;
    readonly mappings: {
      readonly properties: Record<string, object> & { readonly passages: { readonly properties: object } };
    };
  };
  const { passages, ...properties } = mappings.properties;
  return {
    settings,
    mappings: {
      dynamic: 'strict',
      properties: { ...properties, ...passages.properties, document: { type: 'keyword' } },
    },
  };
}

const scope = (n: number): object => ({
  bool: { filter: [{ term: { tenant: `t${Math.abs(n) % 10}` } }, { term: { deleted: false } }] },
});

function wordsOf(n: number): string {
  const random = randomOf(n + 1_000);
  return `${wordOf(random)} ${wordOf(random)} ${wordOf(random)}`;
}

const knn = (n: number, depth: number): object => ({
  query_vector: encodeVector(vectorOf(Math.abs(n) * 11 + 1)),
  k: depth,
  num_candidates: Math.max(200, 8 * depth),
  filter: [scope(n)],
});

function nestedQuery(leg: 'kNN' | 'BM25', depth: number, n: number): object {
  const inner = { size: depth, _source: ['passages.ordinal', 'passages.words'] };
  const shared = { size: depth, track_total_hits: false, _source: ['id', 'version'] };
  if (leg === 'kNN') return { ...shared, knn: { field: 'passages.vector', ...knn(n, depth), inner_hits: inner } };
  const words = { combined_fields: { query: wordsOf(n), fields: ['passages.words', 'passages.titleWords^2'] } };
  const nested = { path: 'passages', score_mode: 'max', query: words, inner_hits: inner };
  return { ...shared, query: { bool: { must: [{ nested }], filter: [scope(n)] } } };
}

function flatQuery(leg: 'kNN' | 'BM25', depth: number, n: number): object {
  const shared = { size: depth, track_total_hits: false, _source: ['document', 'version', 'ordinal', 'words'] };
  if (leg === 'kNN') return { ...shared, knn: { field: 'vector', ...knn(n, depth) } };
  const words = { combined_fields: { query: wordsOf(n), fields: ['words', 'titleWords^2'] } };
  return { ...shared, query: { bool: { must: [words], filter: [scope(n)] } } };
}
