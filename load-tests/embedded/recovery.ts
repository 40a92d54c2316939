import { systemClock } from '../../runtime/clock.ts';
import { textOf } from '../corpus.ts';
import { Figures, load, until, type Scenario } from '../measure.ts';
import { startStub, type StubProcess } from '../processes.ts';
import { openLivePlace, type LivePlace, type TableRow } from './live-place.ts';

const WAIT_MS = 300_000;
const BATCH = 32;
const CALL_MS = 40;
/** One batch on the device, one behind it: the stand-in does not give up what a dead client has asked for. */
const CONCURRENCY = 2;
const NEW_ROW = 5_000_000;

export const recovery: Scenario = {
  name: 'recovery',
  question:
    'After kill -9 in the middle of a backfill: how soon is the next commit searchable, and what is embedded twice?',
  async run({ rounds, quick, say }) {
    const figures = new Figures();
    const rows = Array.from({ length: quick ? 100 : 2_000 }, (_, n): TableRow => {
      return { n, title: `Article ${n}`, body: textOf(n, 2_200) };
    });
    for (let round = 0; round < rounds; round++) {
      const alone = await backfill(rows, false);
      const killed = await backfill(rows, true);
      const twice = Math.max(0, killed.texts - alone.texts);
      figures.add('start again -> new commit searchable', 's', killed.firstMs / 1_000, { atMost: 1, from: 'G13' });
      figures.add('start again -> listening', 's', killed.listeningMs / 1_000);
      figures.add('texts embedded twice', 'texts', twice, { atMost: BATCH, from: 'G13' });
      figures.add('texts in all', 'texts', alone.texts);
      figures.add('backfill with the kill / without', 'ratio', killed.seconds / alone.seconds, {
        atMost: 1.02,
        from: 'G13',
      });
      figures.add('load average', '', load());
      say(`new commit after ${killed.firstMs.toFixed(0)} ms, ${twice} of ${alone.texts} texts twice`);
    }
    return {
      figures: figures.all,
      notes: [
        `${rows.length} rows of about three passages; a simulated device of one stream, ${CALL_MS} ms for each batch of ${BATCH}. The clock runs from the start of the new process. Twice is what the device was given beyond a run without a kill; what was in flight reaches it all the same.`,
        'The row is inserted when the process is started again; it stands behind nothing but the rest of the backfill.',
      ],
    };
  },
};

interface Backfill {
  readonly seconds: number;
  readonly texts: number;
  readonly firstMs: number;
  readonly listeningMs: number;
}

async function backfill(rows: readonly TableRow[], kills: boolean): Promise<Backfill> {
  await using stub = await startStub({
    gpu: { streams: 1, callMs: CALL_MS },
    vectors: 'pooled',
    info: { max_client_batch_size: BATCH },
  });
  await using place = await openLivePlace({ embedder: { kind: 'tei', url: stub.url, maxConcurrency: CONCURRENCY } });
  await place.insert(rows);
  const begun = systemClock.monotonicMs();
  await place.start().address;
  const again = kills ? await killAndStart(place, stub, rows.length) : { firstMs: 0, listeningMs: 0 };
  if (!kills) await place.insert([newRow()]); // both runs embed the same rows
  await place.caughtUp();
  const seconds = (systemClock.monotonicMs() - begun) / 1_000;
  return { ...again, seconds, texts: (await stub.counters()).texts };
}

async function killAndStart(
  place: LivePlace,
  stub: StubProcess,
  rows: number,
): Promise<Pick<Backfill, 'firstMs' | 'listeningMs'>> {
  await until('a third of the vectors', WAIT_MS, async () => (await stub.counters()).texts > rows);
  await place.product.kill('SIGKILL');
  const begun = systemClock.monotonicMs();
  const started = place.start();
  await place.insert([newRow()]);
  await started.address;
  const listeningMs = systemClock.monotonicMs() - begun;
  const query = { query: 'freshcomer', k: 1, mode: 'lexical' } as const;
  await until('the new commit searchable', WAIT_MS, () => place.shows(NEW_ROW, query), 5);
  return { firstMs: systemClock.monotonicMs() - begun, listeningMs };
}

function newRow(): TableRow {
  return { n: NEW_ROW, title: 'New', body: `freshcomer ${textOf(NEW_ROW, 600)}` };
}
