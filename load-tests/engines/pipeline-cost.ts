import kafkajs from 'kafkajs';
import { encodeVector } from '../../ports/document-store/elasticsearch/document-body.ts';
import { systemClock } from '../../runtime/clock.ts';
import { changes, TOPIC } from '../corpus.ts';
import {
  Figures,
  load,
  median,
  onLanes,
  secondsOf,
  type Findings,
  type Scenario,
  type ScenarioOptions,
} from '../measure.ts';
import { ask } from '../ask.ts';
import { openPlace, type Place } from './place.ts';
import { startStub, type StubProcess } from '../processes.ts';

/** Texts of one request of the naive client, and its connections. */
const BATCH = 32;
const CONNECTIONS = 24;
/** Documents of a bulk request of the hand-written loop, and how many requests are under way. */
const BULK_DOCUMENTS = 128;
const BULKS_UNDER_WAY = 4;
const PARTITIONS = 4;
const WAIT_MS = 300_000;
const SETTLED = 40;

interface Variant {
  readonly name: string;
  /** The device: ms of a batch of 32 texts, and batches at a time. */
  readonly callMs: number;
  readonly streams: number;
  /** `pipeline.embed.inlineBudgetMs`; the default indexes by words first and writes every document twice. */
  readonly inlineBudgetMs?: number;
  readonly documents: number;
}

const VARIANTS: readonly Variant[] = [
  { name: 'embedder-bound', callMs: 60, streams: 1, inlineBudgetMs: 60_000, documents: 2_400 },
  { name: 'embedder-bound, lexical first', callMs: 60, streams: 1, documents: 2_400 },
  { name: 'bulk-bound', callMs: 5, streams: 16, inlineBudgetMs: 60_000, documents: 4_000 },
];

export const pipelineCost: Scenario = {
  name: 'pipeline-cost',
  question:
    'What does the pipeline cost beside its slowest stage alone? (prepare + index, a process each; TEI is simulated)',
  async run(options) {
    const figures = new Figures();
    for (let round = 0; round < options.rounds; round++)
      for (const variant of VARIANTS.filter(({ name }) => name === (process.env['BENCH_VARIANT'] ?? name)))
        await once(variant, options, figures);
    return { figures: figures.all, notes: NOTES };
  },
};

const NOTES: Findings['notes'] = [
  'All on one machine: broker, Elasticsearch, simulated TEI, the bench and the product share its cores; the stages alone have them to themselves.',
  'Both processes have joined and have indexed a few documents before the source topic is filled; the clock runs from the first append until all documents are searchable with all vectors.',
  'The bulk loop sends the very bodies that the pipeline wrote, vectors ready, to an index with the same settings.',
];

async function once(variant: Variant, { quick, say }: ScenarioOptions, figures: Figures): Promise<void> {
  const { name, callMs, streams, inlineBudgetMs } = variant;
  const count = quick ? 300 : variant.documents;
  await using stub = await startStub({
    gpu: { streams, callMs },
    vectors: 'pooled',
    info: { max_client_batch_size: BATCH },
  });
  await using place = await openPlace({
    partitions: PARTITIONS,
    config: {
      embedder: { kind: 'tei', url: stub.url },
      pipeline: { pii: { mode: 'off' }, ...(inlineBudgetMs !== undefined && { embed: { inlineBudgetMs } }) },
    },
  });
  const profile = process.env['BENCH_PROFILE'];
  const prepare = place.start('prepare');
  const index = place.start(
    'index',
    profile === undefined ? {} : { node: ['--cpu-prof', `--cpu-prof-dir=${profile}`] },
  );
  await Promise.all([prepare.address, index.address]);
  await place.fill(changes(1_000_000, SETTLED));
  await place.awaitIndexed(SETTLED, WAIT_MS);
  const cpuBefore = { prepare: prepare.cpuSeconds, index: index.cpuSeconds };
  const textsBefore = (await stub.counters()).texts;
  const records = changes(0, count);
  const begun = systemClock.monotonicMs();
  await place.fill(records);
  const { passages } = await place.awaitIndexed(SETTLED + count, WAIT_MS);
  const seconds = (systemClock.monotonicMs() - begun) / 1000;
  const sent = (await stub.counters()).texts - textsBefore;
  const cpu = { prepare: prepare.cpuSeconds - cpuBefore.prepare, index: index.cpuSeconds - cpuBefore.index };
  await prepare.kill(profile === undefined ? 'SIGKILL' : 'SIGTERM');
  await index.kill(profile === undefined ? 'SIGKILL' : 'SIGTERM');

  const bodies = await bodiesOf(place);
  const perDocument = passages / (SETTLED + count);
  const pipeline = count / seconds;
  const consume = (SETTLED + count) / (await consumeSeconds(place));
  const bulk = bodies.length / (await bulkSeconds(place, bodies));
  const embedder = (await naiveTextsPerSecond(stub, bodies)) / perDocument;
  const slowest = Math.min(consume, bulk, embedder);
  const add = (what: string, unit: string, value: number, goal?: Parameters<Figures['add']>[3]): void =>
    figures.add(`${name}: ${what}`, unit, value, goal);
  add('pipeline', 'documents/s', pipeline);
  add('consume alone', 'documents/s', consume);
  add('bulk alone', 'documents/s', bulk);
  add('embedder alone', 'documents/s', embedder);
  add('pipeline / slowest stage', 'ratio', pipeline / slowest, { atLeast: 0.9, from: 'acceptance' });
  add(
    'pipeline / bulk loop',
    'ratio',
    pipeline / bulk,
    name === 'bulk-bound' ? { atLeast: 0.8, from: 'G3' } : undefined,
  );
  add('texts embedded per passage', 'ratio', sent / (passages - SETTLED * perDocument), { atMost: 1.01, from: 'I7' });
  add('CPU of prepare', 's per 1,000 documents', (1000 * cpu.prepare) / count);
  add('CPU of index', 's per 1,000 documents', (1000 * cpu.index) / count);
  add('load average', '', load());
  say(
    `${name}: ${pipeline.toFixed(0)} documents/s, slowest stage ${slowest.toFixed(0)}, ${median([passages / (SETTLED + count)]).toFixed(1)} passages each`,
  );
}

interface Scrolled {
  readonly _scroll_id: string;
  readonly hits: { readonly hits: readonly { readonly _source: Body }[] };
}
interface Body {
  readonly passages: readonly { readonly words: string; readonly vector: readonly number[] }[];
}

/** What the pipeline wrote, vectors as base64, ready to be written again. */
async function bodiesOf({
  elasticsearch,
  name,
}: Place): Promise<readonly { readonly line: string; readonly texts: readonly string[] }[]> {
  const found: { line: string; texts: string[] }[] = [];
  const query = { size: 500, query: { term: { deleted: false } } };
  let page = await ask<Scrolled>(`${elasticsearch}/${name}-*/_search?scroll=1m&_source_exclude_vectors=false`, query);
  while (page.hits.hits.length > 0) {
    for (const { _source: body } of page.hits.hits)
      found.push({
        line: JSON.stringify({
          ...body,
          passages: body.passages.map((passage) => ({
            ...passage,
            vector: encodeVector(Float32Array.from(passage.vector)),
          })),
        }),
        texts: body.passages.map(({ words }) => words),
      });
    page = await ask<Scrolled>(`${elasticsearch}/_search/scroll`, { scroll: '1m', scroll_id: page._scroll_id });
  }
  return found;
}

async function consumeSeconds({ name }: Place): Promise<number> {
  const brokers = (process.env['KAFKA_TEST_URL'] ?? '').split(',');
  const kafka = new kafkajs.Kafka({ brokers, logLevel: kafkajs.logLevel.NOTHING });
  const consumer = kafka.consumer({ groupId: `${name}.raw` });
  await consumer.connect();
  const topic = `${name}.${TOPIC}`;
  const admin = kafka.admin();
  await admin.connect();
  const total = (await admin.fetchTopicOffsets(topic)).reduce((sum, { offset }) => sum + Number(offset), 0);
  await admin.disconnect();
  await consumer.subscribe({ topic, fromBeginning: true });
  let begun = 0;
  let read = 0;
  await new Promise<void>((resolve, reject) => {
    consumer
      .run({
        eachBatch: async ({ batch }) => {
          if (begun === 0) begun = systemClock.monotonicMs(); // joining is not measured
          for (const message of batch.messages) JSON.parse(message.value?.toString() ?? 'null');
          read += batch.messages.length;
          if (read >= total) resolve();
        },
      })
      .catch(reject);
  });
  const seconds = (systemClock.monotonicMs() - begun) / 1000;
  await consumer.disconnect();
  return seconds;
}

/** A loop as one writes it by hand, into an index of the same settings, until everything is searchable. */
async function bulkSeconds(
  { elasticsearch, name }: Place,
  bodies: readonly { readonly line: string }[],
): Promise<number> {
  interface Described {
    readonly mappings: object;
    readonly settings: { readonly index: Record<string, unknown> };
  }
  const described = Object.values(await ask<Record<string, Described>>(`${elasticsearch}/${name}-*`))[0];
  if (!described) throw new Error('the index is gone');
  const { creation_date: _1, uuid: _2, version: _3, provided_name: _4, ...settings } = described.settings.index;
  const index = `${name}-raw`;
  // Made by hand: the product's template forbids that a write makes an index.
  await ask(`${elasticsearch}/${index}`, { mappings: described.mappings, settings: { index: settings } }, 'PUT');
  const seconds = await secondsOf(async () => {
    await onLanes(BULKS_UNDER_WAY, Math.ceil(bodies.length / BULK_DOCUMENTS), async (n) => {
      const part = bodies.slice(n * BULK_DOCUMENTS, (n + 1) * BULK_DOCUMENTS);
      const lines = part.map(({ line }) => `{"index":{}}\n${line}\n`).join('');
      const { errors } = await ask<{ readonly errors: boolean }>(
        `${elasticsearch}/${index}/_bulk?filter_path=errors`,
        lines,
      );
      if (errors) throw new Error('the raw bulk was refused');
    });
    await ask(`${elasticsearch}/${index}/_refresh`, undefined, 'POST');
  });
  await ask(`${elasticsearch}/${index}`, undefined, 'DELETE');
  return seconds;
}

/** Full batches on many connections. */
async function naiveTextsPerSecond(
  { url }: StubProcess,
  bodies: readonly { readonly texts: readonly string[] }[],
): Promise<number> {
  const texts = bodies.flatMap(({ texts: each }) => each);
  const seconds = await secondsOf(() =>
    onLanes(CONNECTIONS, Math.ceil(texts.length / BATCH), async (n) => {
      const inputs = texts.slice(n * BATCH, (n + 1) * BATCH);
      await ask(`${url}/embed`, { inputs, truncate: true });
    }),
  );
  return texts.length / seconds;
}
