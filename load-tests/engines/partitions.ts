import { changeOf, idOf, textOf } from '../corpus.ts';
import { Figures, load, secondsOf, until, type Scenario } from '../measure.ts';
import { ask } from '../ask.ts';
import { openPlace } from './place.ts';
import { startStub } from '../processes.ts';

const CALL_MS = 400;
const BATCH = 32;
const WAIT_MS = 300_000;
const SETTLED = 8;
/** Of one process at one connection to the device. */
const SECONDS = 20;
const CHARACTERS = 600;
const CASES = [
  { processes: 1, partitions: 1 },
  { processes: 1, partitions: 12 },
  { processes: 2, partitions: 2 },
  { processes: 2, partitions: 12 },
  { processes: 4, partitions: 4 },
  { processes: 4, partitions: 12 },
] as const;

export const partitions: Scenario = {
  name: 'partitions',
  question:
    'Do more processes and partitions index faster, while the embedder is what they wait for? (simulated GPUs, one connection per process)',
  async run({ rounds, quick, say }) {
    const figures = new Figures();
    for (let round = 0; round < rounds; round++) {
      let alone = 0;
      for (const one of CASES) {
        const { processes, partitions: count } = one;
        const { perSecond, wrong } = await once(processes, count, quick);
        if (processes === 1) alone = Math.max(alone, perSecond);
        const name = `${processes} processes, ${count} partitions`;
        const goal = { 1: undefined, 2: 0.95, 4: 0.92 }[processes];
        figures.add(`${name}: changes/s`, '', perSecond);
        figures.add(
          `${name}: of linear`,
          'ratio',
          perSecond / (processes * alone),
          goal === undefined ? undefined : { atLeast: goal, from: 'G12' },
        );
        figures.add(`${name}: rows not in their last version`, 'rows', wrong, { atMost: 0, from: 'G12' });
        figures.add(`${name}: load average`, '', load());
        say(`${name}: ${perSecond.toFixed(0)} changes/s`);
      }
    }
    return {
      figures: figures.all,
      notes: [
        `The device takes ${CALL_MS} ms for a batch of ${BATCH} texts and has a stream for each process, which may have one request in flight: the load is waiting, so two cores can show it.`,
        'Every row is changed twice in order; at the end each must be there in its last version. All changes are prepared before the index processes start; from their start to everything searchable with vectors, less the start itself.',
      ],
    };
  },
};

async function once(
  processes: number,
  count: number,
  quick: boolean,
): Promise<{ readonly perSecond: number; readonly wrong: number }> {
  const rows = Math.round(((quick ? 3 : SECONDS) * processes * BATCH * 1000) / CALL_MS / 2);
  await using stub = await startStub({
    gpu: { streams: processes, callMs: CALL_MS },
    vectors: 'pooled',
    info: { max_client_batch_size: BATCH },
  });
  await using place = await openPlace({
    partitions: count,
    config: {
      embedder: { kind: 'tei', url: stub.url, maxConcurrency: 1 },
      pipeline: { pii: { mode: 'off' }, embed: { inlineBudgetMs: 600_000 }, maxBatchRecords: 64 },
    },
  });
  const prepare = place.start('prepare');
  const index = Array.from({ length: processes }, () => place.start('index'));
  await Promise.all([prepare, ...index].map((child) => child.address));
  await place.fill(Array.from({ length: SETTLED }, (_, n) => changeOf(1_000_000 + n, 10, bodyOf(n, 0))));
  await place.awaitIndexed(SETTLED, WAIT_MS);
  const edits = [1, 2].flatMap((edition) =>
    Array.from({ length: rows }, (_, n) => changeOf(n, 1_000 * edition + n, bodyOf(n, edition))),
  );
  const seconds = await secondsOf(async () => {
    await place.fill(edits);
    await place.awaitIndexed(SETTLED + rows, WAIT_MS);
    await lastEdition(place, rows);
  });
  return { perSecond: edits.length / seconds, wrong: await wrongRows(place, rows) };
}

function bodyOf(n: number, edition: number): { readonly title: string; readonly body: string } {
  return { title: `Edition ${edition}`, body: textOf(n * 7 + edition * 1_000_003, CHARACTERS) };
}

type Where = { readonly elasticsearch: string; readonly name: string };

/** Waits until no row is in an earlier edition. */
async function lastEdition(where: Where, rows: number): Promise<void> {
  await until('the last edition of every row', WAIT_MS, async () => (await wrongRows(where, rows)) === 0, 100);
}

async function wrongRows({ elasticsearch, name }: Where, rows: number): Promise<number> {
  const { count } = await ask<{ readonly count: number }>(`${elasticsearch}/${name}-*/_count`, {
    query: {
      bool: {
        filter: [{ prefix: { id: idOf(0).slice(0, -1) } }, { range: { version: { gte: 2_000, lt: 2_000 + rows } } }],
      },
    },
  });
  return rows - count;
}
