import { readdirSync, readFileSync, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { packageRoot } from '../../cli/package-root.ts';
import { systemClock } from '../../runtime/clock.ts';
import { ContractEmbedder } from './contract-embedder.ts';
import { profiled } from './cpu-profile.ts';
import { watchEventLoop } from './event-loop.ts';
import { openOwnProduct, type Differences } from './own-product.ts';
import { readPeerCorpus } from './peer-corpus.ts';

/*
 * The seat of the product among its peers: `node dist/load-tests/embedded/peer-seat.js [--delta] [--limit N] DIR` takes a corpus through the
 * product and prints one line of JSON, with the fields that every peer prints. EMB_CALL_MS and EMB_TEXT_US slow the embedder down, BENCH_TMP is
 * where the product keeps its files. Besides: the delay of the event loop in each phase, and the comparison with the corpus after each.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { delta: { type: 'boolean', default: false }, limit: { type: 'string' } },
});
const MB = 1e6;
/** Between two phases; peers get it, and it is not timed. */
const PAUSE_MS = 1_100;

interface Timed {
  readonly s: number;
  readonly cpu_s: number;
}

interface Phase extends Timed {
  readonly embed_calls: number;
  readonly embed_texts: number;
  readonly embed_s: number;
  readonly loop_p50_ms: number;
  readonly loop_p99_ms: number;
  readonly loop_max_ms: number;
}

const manifest = JSON.parse(readFileSync(new URL('package.json', packageRoot()), 'utf8')) as {
  readonly version: string;
};
const corpus = readPeerCorpus(positionals[0] ?? '.', values.limit === undefined ? undefined : Number(values.limit));
const { before, after, changes } = corpus;
const textMb = before.reduce((bytes, { text }) => bytes + Buffer.byteLength(text), 0) / MB;
const folder = await mkdtemp(join(process.env['BENCH_TMP'] ?? tmpdir(), 'freshet-seat-'));
const embedder = new ContractEmbedder({
  callMs: Number(process.env['EMB_CALL_MS'] ?? 0),
  textUs: Number(process.env['EMB_TEXT_US'] ?? 0),
});
try {
  process.stdout.write(`${JSON.stringify(await run())}\n`);
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function run(): Promise<object> {
  await using product = await openOwnProduct(folder, embedder);
  const loop = watchEventLoop();
  const rssBase = peakRssMb();
  let chunks = 0;
  const chunking = await timed(async () => {
    for (const row of before) chunks += product.passagesOf(row).length;
  });
  loop();
  const ingest = await phase('ingest', () => product.snapshot(before));
  const phases: Record<string, Differences> = { ingest: await product.compare(before) };
  let noop: object | undefined;
  if (!values.delta) {
    await pause();
    noop = await phase('noop', () => product.snapshot(before));
    phases['noop'] = await product.compare(before);
  }
  await pause();
  const incr = await phase('incr', () => (values.delta ? product.change(changes) : product.snapshot(after)));
  const rssPeak = peakRssMb();
  const { stale, missing } = (phases['incr'] = await product.compare(after));
  const diskMb = bytesIn(folder) / MB;
  return {
    peer: 'freshet',
    version: manifest.version,
    store: 'log, FTS5 and vectors in SQLite, synchronous=FULL',
    docs: before.length,
    text_mb: round(textMb),
    corpus_sha: corpus.sha,
    rss_base_mb: rssBase,
    chunking: { ...chunking, chunks, mb_s: round(textMb / chunking.s), mb_cpu_s: round(textMb / chunking.cpu_s) },
    ingest: {
      ...ingest,
      docs_s: round(before.length / ingest.s),
      docs_cpu_s: round(before.length / ingest.cpu_s),
      chunks_s: round(chunks / ingest.s),
    },
    ...(noop && { noop }),
    incr: { kind: values.delta ? 'delta' : 'snapshot', ...incr },
    incr_ratio: round(incr.s / ingest.s),
    rss_peak_mb: rssPeak,
    verify: { stale, missing, by: 'text' },
    phases,
    disk_mb: round(diskMb),
  };

  async function phase(name: string, work: () => Promise<void>): Promise<Phase> {
    embedder.take();
    loop();
    const took = await profiled(name, () => timed(work));
    const loopDelay = loop();
    const { calls, texts, seconds } = embedder.take();
    return {
      ...took,
      embed_calls: calls,
      embed_texts: texts,
      embed_s: round(seconds),
      loop_p50_ms: round(loopDelay.p50),
      loop_p99_ms: round(loopDelay.p99),
      loop_max_ms: round(loopDelay.max),
    };
  }
}

async function timed(work: () => Promise<void>): Promise<Timed> {
  const cpu = process.cpuUsage();
  const begun = systemClock.monotonicMs();
  await work();
  const seconds = (systemClock.monotonicMs() - begun) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  return { s: round(seconds), cpu_s: round((user + system) / 1e6) };
}

function pause(): Promise<void> {
  return systemClock.sleep(PAUSE_MS);
}

function peakRssMb(): number {
  return round(process.resourceUsage().maxRSS / 1_024);
}

function bytesIn(place: string): number {
  return readdirSync(place, { withFileTypes: true }).reduce(
    (bytes, entry) =>
      bytes + (entry.isDirectory() ? bytesIn(join(place, entry.name)) : statSync(join(place, entry.name)).size),
    0,
  );
}

function round(value: number): number {
  return Number(value.toFixed(3));
}
