import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fuseHits } from '../../ports/document-store/fuse.ts';
import { classifyQuery, LEG_WEIGHTS } from '../../query-api/answer/classify-query.ts';
import { systemClock } from '../../runtime/clock.ts';
import { ask } from '../ask.ts';
import { randomOf, textOf, wordOf } from '../corpus.ts';
import { Figures, load, onLanes, quantile, type Scenario } from '../measure.ts';
import { ContractEmbedder } from './contract-embedder.ts';
import { openOwnProduct } from './own-product.ts';

const DOCUMENTS = 2_000;
const K = 8;
/** Hits of each leg, as the product asks for them with this K. */
const DEPTH = 50;
const FUSED_DEPTH = 200;
const FUSIONS = 500;

export const queryOverhead: Scenario = {
  name: 'query-overhead',
  question:
    'What does POST /v1/search add to the search of the index below it, and what do both legs cost beside the slower one?',
  async run({ rounds, quick, say }) {
    const figures = new Figures();
    const folder = await mkdtemp(join(tmpdir(), 'freshet-bench-'));
    try {
      const embedder = new ContractEmbedder();
      await using product = await openOwnProduct(folder, embedder);
      await product.snapshot(
        Array.from({ length: quick ? 200 : DOCUMENTS }, (_, n) => ({
          id: String(n),
          title: `Document ${n}`,
          text: textOf(n, 2_200),
        })),
      );
      const scope = { principal: { tenant: 'default', groups: [] }, filter: {} };
      const queries = Array.from({ length: quick ? 20 : 300 }, (_, n) => wordsOf(n));
      for (let round = 0; round < rounds; round++) {
        const parts: Record<'lexical' | 'dense' | 'both' | 'api', number[]> = {
          lexical: [],
          dense: [],
          both: [],
          api: [],
        };
        for (const query of queries) {
          const fusion = { weights: LEG_WEIGHTS[classifyQuery(query)], count: K };
          const [vector = new Float32Array()] = await embedder.embed([query], 'query');
          const lexical = { text: query, depth: DEPTH };
          const dense = { vector, depth: DEPTH };
          parts.lexical.push(await msOf(() => product.store.search({ scope, lexical })));
          parts.dense.push(await msOf(() => product.store.search({ scope, dense })));
          parts.both.push(await msOf(() => product.store.best({ scope, lexical, dense }, fusion)));
          parts.api.push(await msOf(() => ask(`${product.address}/v1/search`, { query, k: K })));
        }
        const at = (name: keyof typeof parts, share: number): number => quantile(parts[name], share);
        for (const name of ['lexical', 'dense', 'both', 'api'] as const) {
          figures.add(`${name}: p50`, 'ms', at(name, 0.5));
          figures.add(`${name}: p99`, 'ms', at(name, 0.99));
        }
        figures.add('added by the API, p50', 'ms', at('api', 0.5) - at('both', 0.5), { atMost: 1, from: 'G9' });
        figures.add('added by the API, p99', 'ms', at('api', 0.99) - at('both', 0.99), { atMost: 4, from: 'G9' });
        const slower = Math.max(at('lexical', 0.5), at('dense', 0.5));
        figures.add('both legs / the slower one', 'ratio', at('both', 0.5) / slower, { atMost: 1.1, from: 'G9' });
        const raw = await rateOf(queries, (query) => searchBoth(query));
        const api = await rateOf(queries, (query) => ask(`${product.address}/v1/search`, { query, k: K }));
        figures.add('8 at a time: API / the index', 'ratio', api / raw, { atLeast: 0.9, from: 'G9' });
        figures.add(`fusion of 2 x ${FUSED_DEPTH}`, 'us', await fusionUs(), { atMost: 50, from: 'G9' });
        figures.add('load average', '', load());
        say(`both legs ${at('both', 0.5).toFixed(1)} ms, API ${at('api', 0.5).toFixed(1)} ms`);
      }

      async function searchBoth(query: string): Promise<unknown> {
        const [vector = new Float32Array()] = await embedder.embed([query], 'query');
        return product.store.search({ scope, lexical: { text: query, depth: DEPTH }, dense: { vector, depth: DEPTH } });
      }

      async function fusionUs(): Promise<number> {
        const [vector = new Float32Array()] = await embedder.embed(['fusion'], 'query');
        const query = queries.join(' ');
        const legs = await product.store.search({
          scope,
          lexical: { text: query, depth: FUSED_DEPTH },
          dense: { vector, depth: FUSED_DEPTH },
        });
        const weights = LEG_WEIGHTS[classifyQuery('what is it')];
        for (let i = 0; i < FUSIONS; i++) fuseHits(legs, { weights, count: K });
        const begun = systemClock.monotonicMs();
        for (let i = 0; i < FUSIONS; i++) fuseHits(legs, { weights, count: K });
        return (1_000 * (systemClock.monotonicMs() - begun)) / FUSIONS;
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
    return {
      figures: figures.all,
      notes: [
        `${DOCUMENTS} documents. API, its client and the index share one process and one thread, so that "added" holds the client's fetch and both ends of HTTP. Both legs run one after the other in SQLite: their sum, not the slower one, is the floor here.`,
        'A relayed token of an answer is not measured here.',
      ],
    };
  },
};

async function msOf(work: () => Promise<unknown>): Promise<number> {
  const begun = systemClock.monotonicMs();
  await work();
  return systemClock.monotonicMs() - begun;
}

async function rateOf(queries: readonly string[], work: (query: string) => Promise<unknown>): Promise<number> {
  const ms = await msOf(() => onLanes(8, queries.length, async (n) => void (await work(queries[n] ?? ''))));
  return (1_000 * queries.length) / ms;
}

function wordsOf(n: number): string {
  const random = randomOf(n + 77);
  return Array.from({ length: 4 }, () => wordOf(random)).join(' ');
}
