import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getLoadablePath } from 'sqlite-vec';
import type { ReplaceDocument } from '../../ports/document-store/document-store.ts';
import { openSqliteDocumentStore } from '../../ports/document-store/sqlite-document-store.ts';
import { Sqlite } from '../../ports/sqlite.ts';
import { systemClock } from '../../runtime/clock.ts';
import { StorageFailed } from '../../runtime/errors.ts';
import { documentId, passageId } from '../../schemas/ids.ts';
import type { SourceVersion } from '../../schemas/version.ts';
import { randomOf } from '../corpus.ts';
import { Figures, load, quantile, type Scenario } from '../measure.ts';

const DIMENSIONS = 384;
const PASSAGES = 100_000;
const PASSAGES_OF_A_DOCUMENT = 4;
const K = 10;
const WRITE_DOCUMENTS = 500;
/** Topics that the vectors gather around, as those of texts do; the spread of each is of the same size as the distance between them. */
const TOPICS = 200;

export const vectorLeg: Scenario = {
  name: 'vector-leg',
  question: `How fast and how exact is the dense leg over ${PASSAGES} vectors of ${DIMENSIONS} dimensions, beside a table of vec0?`,
  async run({ rounds, quick, say }) {
    const figures = new Figures();
    const folder = await mkdtemp(join(tmpdir(), 'freshet-bench-'));
    const count = quick ? 4_000 : PASSAGES;
    const make = vectorsOf(7);
    const vectors = Array.from({ length: count }, make);
    const queries = Array.from({ length: quick ? 10 : 50 }, make);
    try {
      await using store = openSqliteDocumentStore({
        path: join(folder, 'index.db'),
        dimensions: DIMENSIONS,
        clock: systemClock,
      });
      for (let from = 0; from < count; from += WRITE_DOCUMENTS * PASSAGES_OF_A_DOCUMENT)
        await store.write(documentsOf(vectors, from, Math.min(count, from + WRITE_DOCUMENTS * PASSAGES_OF_A_DOCUMENT)));
      const rival = fillVec0(join(folder, 'vec0.db'), vectors);
      const exact = queries.map((query) => nearest(vectors, query));
      const scope = { principal: { tenant: 'default', groups: [] }, filter: {} };
      for (let round = 0; round < rounds; round++) {
        const ms: number[] = [];
        const vec0: number[] = [];
        let hits = 0;
        for (const [i, vector] of queries.entries()) {
          const begun = systemClock.monotonicMs();
          const { dense } = await store.search({ scope, dense: { vector, depth: K } });
          ms.push(systemClock.monotonicMs() - begun);
          const wanted = new Set(exact[i]);
          hits += dense.filter(({ documentId: id, passage }) => wanted.has(numberOf(id, passage.ordinal))).length;
          const begunVec0 = systemClock.monotonicMs();
          rival.search(vector);
          vec0.push(systemClock.monotonicMs() - begunVec0);
        }
        figures.add('dense leg, p50', 'ms', quantile(ms, 0.5), { atMost: 5, from: 'G10' });
        figures.add('dense leg, p99', 'ms', quantile(ms, 0.99));
        figures.add('vec0, p50', 'ms', quantile(vec0, 0.5));
        figures.add('dense leg / vec0', 'ratio', quantile(ms, 0.5) / quantile(vec0, 0.5), {
          atMost: 0.125,
          from: 'G10',
        });
        figures.add(`recall at ${K}`, 'share', hits / (K * queries.length), { atLeast: 0.98, from: 'G10' });
        figures.add('load average', '', load());
        say(`dense ${quantile(ms, 0.5).toFixed(1)} ms, vec0 ${quantile(vec0, 0.5).toFixed(1)} ms`);
      }
      rival.close();
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
    return {
      figures: figures.all,
      notes: [
        `Made vectors around ${TOPICS} topics, ${PASSAGES_OF_A_DOCUMENT} to a document; no model. vec0 gives ids only, the store whole hits, with scope and tenant. One million is not run.`,
      ],
    };
  },
};

function vectorsOf(seed: number): () => Float32Array {
  const random = randomOf(seed);
  const noise = (): Float32Array => Float32Array.from({ length: DIMENSIONS }, () => random() + random() - 1);
  const topics = Array.from({ length: TOPICS }, noise);
  return () => {
    const topic = topics[Math.floor(random() * TOPICS)] ?? noise();
    const vector = noise().map((value, i) => value + (topic[i] ?? 0));
    const length = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
    return vector.map((value) => value / length);
  };
}

function documentsOf(vectors: readonly Float32Array[], from: number, to: number): ReplaceDocument[] {
  const writes: ReplaceDocument[] = [];
  for (let first = from; first < to; first += PASSAGES_OF_A_DOCUMENT) {
    const own = vectors.slice(first, Math.min(to, first + PASSAGES_OF_A_DOCUMENT));
    const key = String(first);
    const id = documentId({ source: 'bench', table: 'public.vectors', key: [key] });
    writes.push({
      kind: 'replace',
      document: {
        kind: 'document',
        id,
        source: { name: 'bench', table: 'public.vectors', key },
        version: 1n as SourceVersion,
        position: '0/1',
        committedAt: 0,
        title: '',
        parts: [],
        bodyFormat: 'text',
        tenant: 'default',
        acl: null,
        metadata: {},
      },
      text: 'x',
      passages: own.map((_, ordinal) => ({
        id: passageId(id, ordinal),
        ordinal,
        start: 0,
        end: 1,
        text: 'x',
        headings: [],
        tokens: 1,
        vectorKey: `v${first + ordinal}`,
      })),
      vectors: own,
      lineage: { chunker: '1', piiPolicy: 'off', embedder: 'made' },
      contentHash: key,
    });
  }
  return writes;
}

/** Number of the vector behind a hit. */
function numberOf(id: string, ordinal: number): number {
  return Number(id.slice(id.lastIndexOf('/') + 1)) + ordinal;
}

/** The exact answer, by products of all pairs. */
function nearest(vectors: readonly Float32Array[], query: Float32Array): readonly number[] {
  const scores = Float32Array.from(vectors, (vector) => {
    let product = 0;
    for (let i = 0; i < DIMENSIONS; i++) product += (vector[i] ?? 0) * (query[i] ?? 0);
    return product;
  });
  return Array.from(scores.keys())
    .toSorted((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0))
    .slice(0, K);
}

/** The rival: the same vectors in a table of vec0, as its documentation has it. */
function fillVec0(
  path: string,
  vectors: readonly Float32Array[],
): { search(vector: Float32Array): unknown; close(): void } {
  const db = new Sqlite({ path, remedy: '', busy: (message, cause) => new StorageFailed(message, cause) });
  db.loadExtension(getLoadablePath());
  db.exec(`CREATE VIRTUAL TABLE made USING vec0(vector float[${DIMENSIONS}] distance_metric=cosine)`);
  const insert = db.prepare('INSERT INTO made (rowid, vector) VALUES (?, ?)');
  const bytes = ({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array =>
    new Uint8Array(buffer, byteOffset, byteLength);
  db.transaction(() => vectors.forEach((vector, n) => insert.run(BigInt(n), bytes(vector))));
  const select = db.prepare(`SELECT rowid, distance FROM made WHERE vector MATCH ? AND k = ${K}`);
  return { search: (vector) => select.all(bytes(vector)), close: () => db.close() };
}
