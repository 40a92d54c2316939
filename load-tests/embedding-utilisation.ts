import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { openTeiEmbedder } from '../ports/embedder/tei-embedder.ts';
import { systemClock, systemRandom } from '../runtime/clock.ts';
import { createLogger } from '../runtime/logger.ts';

/*
 * How much of an embedding server our embedder keeps busy, beside a naive client that sends full batches on many connections: both against one
 * stand-in for a TEI server whose device takes EMB_CALL_MS and EMB_TEXT_US per batch on each of its streams. The goal is 95 % (G2, R18).
 */
const { values } = parseArgs({
  options: {
    streams: { type: 'string', default: '1,2,4,8' },
    'call-ms': { type: 'string', default: process.env['EMB_CALL_MS'] ?? '20' },
    'text-us': { type: 'string', default: process.env['EMB_TEXT_US'] ?? '500' },
    /** Seconds of work for the device in one run. */
    seconds: { type: 'string', default: '6' },
    rounds: { type: 'string', default: '3' },
    /** Connections of the naive client. */
    connections: { type: 'string', default: '24' },
    /** Texts that wait in our embedder at any time. */
    backlog: { type: 'string', default: '2048' },
  },
});
const callMs = Number(values['call-ms']);
const textUs = Number(values['text-us']);
const BATCH = 32;
const CALL_TEXTS = 128;
const BYTES = 1_000;

interface Run {
  readonly textsPerSecond: number;
  readonly cpuSeconds: number;
  readonly note: string;
}

const stubMain = fileURLToPath(new URL('../test/support/tei-stub-main.js', import.meta.url));

async function startStub(streams: number): Promise<{ url: string } & AsyncDisposable> {
  const options = { gpu: { streams, callMs, textUs }, vectors: 'pooled', info: { max_client_batch_size: BATCH } };
  const child = spawn(process.execPath, [stubMain, JSON.stringify(options)], { stdio: ['pipe', 'pipe', 'inherit'] });
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  const { url } = JSON.parse(line) as { url: string };
  return {
    url,
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      await once(child, 'exit');
    },
  };
}

/** Texts of like length, as passages are, with no two the same. */
function makeTexts(count: number): readonly string[] {
  return Array.from({ length: count }, (_, i) => {
    const filler = `passage ${i} of the corpus keeps its words apart `;
    return filler.repeat(Math.ceil(BYTES / filler.length)).slice(0, BYTES - (i % 200));
  });
}

/** Full batches on many connections, as a script would do it. */
async function naive(url: string, texts: readonly string[]): Promise<Run> {
  return timed(texts.length, async () => {
    let next = 0;
    const stream = async (): Promise<void> => {
      for (let from = next; from < texts.length; from = next) {
        next += BATCH;
        const inputs = texts.slice(from, from + BATCH);
        const response = await fetch(`${url}/embed`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ inputs, truncate: true }),
        });
        const vectors = (await response.json()) as number[][];
        if (vectors.length !== inputs.length) throw new Error('half a batch');
        vectors.map((vector) => Float32Array.from(vector));
      }
    };
    await Promise.all(Array.from({ length: Number(values.connections) }, stream));
    return `${values.connections} connections`;
  });
}

/** Through the port, with a backlog all the time. Opening is not timed; finding out how many requests to send is. */
async function ours(url: string, texts: readonly string[]): Promise<Run> {
  const parts = { clock: systemClock, random: systemRandom, logger: createLogger('warn') };
  await using embedder = await openTeiEmbedder({ ...parts, url, tokenizer: { kind: 'bge' }, timeoutMs: 60_000 });
  return await timed(texts.length, async () => {
    let next = 0;
    const stream = async (): Promise<void> => {
      for (let from = next; from < texts.length; from = next) {
        next += CALL_TEXTS;
        await embedder.embed(texts.slice(from, from + CALL_TEXTS), 'passage');
      }
    };
    await Promise.all(Array.from({ length: Math.ceil(Number(values.backlog) / CALL_TEXTS) }, stream));
    return `${embedder.concurrency} requests in flight at the end`;
  });
}

async function timed(count: number, work: () => Promise<string>): Promise<Run> {
  const cpu = process.cpuUsage();
  const started = systemClock.monotonicMs();
  const note = await work();
  const seconds = (systemClock.monotonicMs() - started) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return { textsPerSecond: count / seconds, cpuSeconds: (user + system) / 1e6, note };
}

function summary(runs: readonly Run[]): string {
  const sorted = runs.map((run) => run.textsPerSecond).toSorted((a, b) => a - b);
  const [low = 0, middle = 0, high = 0] = [sorted[0], sorted[sorted.length >> 1], sorted.at(-1)];
  const cpu = runs.reduce((sum, run) => sum + run.cpuSeconds, 0) / runs.length;
  return `${[low, middle, high].map((value) => value.toFixed(0)).join(' / ')} texts/s, ${cpu.toFixed(2)} s CPU, ${runs.at(-1)?.note}`;
}

const print = (line: string): void => void process.stdout.write(`${line}\n`);
print(`device: ${callMs} ms a batch + ${textUs} us a text; min / median / max of ${values.rounds} interleaved runs`);
for (const streams of values.streams.split(',').map(Number)) {
  const capacity = (streams * BATCH * 1000) / (callMs + (BATCH * textUs) / 1000);
  const texts = makeTexts(Math.ceil((capacity * Number(values.seconds)) / CALL_TEXTS) * CALL_TEXTS);
  await using stub = await startStub(streams);
  const runs: Record<'naive' | 'ours', Run[]> = { naive: [], ours: [] };
  for (let round = 0; round < Number(values.rounds); round++) {
    runs.naive.push(await naive(stub.url, texts));
    runs.ours.push(await ours(stub.url, texts));
  }
  const median = (of: readonly Run[]): number =>
    of.map((run) => run.textsPerSecond).toSorted((a, b) => a - b)[of.length >> 1] ?? 0;
  print(`${streams} streams, ${texts.length} texts, the device can do ${capacity.toFixed(0)} texts/s`);
  print(`  naive ${summary(runs.naive)}`);
  print(`  ours  ${summary(runs.ours)}`);
  print(
    `  ours / naive ${((100 * median(runs.ours)) / median(runs.naive)).toFixed(1)} %, ` +
      `ours / device ${((100 * median(runs.ours)) / capacity).toFixed(1)} %`,
  );
}
