import { systemClock } from '../../runtime/clock.ts';
import { SOURCE, textOf } from '../corpus.ts';
import { Figures, load, quantile, rssMbOf, type Scenario } from '../measure.ts';
import { openLivePlace, type LivePlace, type TableRow } from './live-place.ts';

const DOCUMENTS = 10_000;
const CHARACTERS = 2_200;
/** More than the model does on two cores, which is about seven. */
const PER_SECOND = 20;
const LIVE_ROWS_FROM = 1_000_000;
const WAIT_MS = 60_000;
/** Between two searches for one row: a twentieth of what is allowed, or the searches would be the load. */
const LOOK_EVERY_MS = 50;

export const lexicalFirst: Scenario = {
  name: 'lexical-first',
  question:
    'With bge-small in process as the bottleneck: is every document found by its words within a second, and in how much memory?',
  async run({ rounds, quick, say }) {
    const figures = new Figures();
    for (let round = 0; round < rounds; round++) {
      await using place = await openLivePlace({ embedder: { kind: 'onnx' } });
      const documents = quick ? 300 : DOCUMENTS;
      place.start();
      await place.product.address;
      await place.caughtUp();
      const rssBefore = rssMbOf(place.product.pid).now;
      await place.loopDelay();
      const cpu = place.product.cpuSeconds;
      const begun = systemClock.monotonicMs();
      await place.insert(Array.from({ length: documents }, (_, n) => rowOf(n)));
      await place.caughtUp('searchable');
      const seconds = (systemClock.monotonicMs() - begun) / 1_000;
      figures.add('backlog searchable by words', 'documents/s', documents / seconds);
      figures.add('CPU until then', 's per 1,000 documents', (1_000 * (place.product.cpuSeconds - cpu)) / documents);
      const bulk = await place.loopDelay();
      figures.add('event loop blocked meanwhile, p99', 'ms', bulk.p99);
      figures.add('event loop blocked meanwhile, max', 'ms', bulk.max, { atMost: 50, from: 'acceptance' });
      const { ms, vectorsBefore } = await live(place, quick ? 3 : 30);
      figures.add('commit -> found by words, p50', 's', quantile(ms, 0.5) / 1_000);
      figures.add('commit -> found by words, max', 's', Math.max(...ms) / 1_000, { atMost: 1, from: 'acceptance' });
      figures.add('vectors of the backlog there by then', 'share', vectorsBefore);
      const { now, peak } = rssMbOf(place.product.pid);
      figures.add('memory at most', 'MB', peak, { atMost: 700, from: 'acceptance' });
      figures.add('memory before the backlog', 'MB', rssBefore);
      figures.add('memory at the end', 'MB', now);
      figures.add('load average', '', load());
      say(
        `${(documents / seconds).toFixed(0)} documents/s by words; live p50 ${quantile(ms, 0.5).toFixed(0)}, max ${Math.max(...ms).toFixed(0)} ms; at most ${peak.toFixed(0)} MB`,
      );
    }
    return {
      figures: figures.all,
      notes: [
        `${DOCUMENTS} rows of ${CHARACTERS} characters at once, then ${PER_SECOND} new ones a second while the model works on the backlog. All of the new ones are looked for by words, each every ${LOOK_EVERY_MS} ms.`,
        'The vectors are not waited for: at the speed of the model that takes half an hour here.',
      ],
    };
  },
};

function rowOf(n: number): TableRow {
  return { n, title: `Article ${n}`, body: `${textOf(n, CHARACTERS)} mark${n}.` };
}

/** New rows at a steady rate beside the backlog. @returns ms from COMMIT to found, and how much of the index has vectors at the end */
async function live(
  place: LivePlace,
  seconds: number,
): Promise<{ readonly ms: number[]; readonly vectorsBefore: number }> {
  const ms: number[] = [];
  const watching: Promise<void>[] = [];
  const begun = systemClock.monotonicMs();
  for (let i = 0; i < PER_SECOND * seconds; i++) {
    const aheadMs = begun + (i * 1_000) / PER_SECOND - systemClock.monotonicMs();
    if (aheadMs > 0) await systemClock.sleep(aheadMs);
    const n = LIVE_ROWS_FROM + i;
    await place.insert([rowOf(n)]);
    const committed = systemClock.monotonicMs();
    watching.push(
      foundBy(place, n, committed + WAIT_MS).then(() => void ms.push(systemClock.monotonicMs() - committed)),
    );
  }
  await Promise.all(watching);
  const after = { [SOURCE]: await place.position() };
  const { coverage } = await place.search({ query: 'anything', k: 1, mode: 'lexical', after, waitMs: 10_000 });
  return { ms, vectorsBefore: coverage.dense };
}

async function foundBy(place: LivePlace, n: number, deadline: number): Promise<void> {
  while (!(await place.shows(n, { query: `mark${n}`, k: 1, mode: 'lexical' }))) {
    if (systemClock.monotonicMs() > deadline) throw new Error(`row ${n} was not found`);
    await systemClock.sleep(LOOK_EVERY_MS);
  }
}
