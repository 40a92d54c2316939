import { systemClock } from '../../runtime/clock.ts';
import type { SearchRequest } from '../../schemas/query.ts';
import { ask } from '../ask.ts';
import { idOf, textOf } from '../corpus.ts';
import { Figures, load, quantile, type Scenario } from '../measure.ts';
import { openLivePlace, type LivePlace, type TableRow } from './live-place.ts';

const DOCUMENTS = 10_000;
const CHARACTERS = 2_200;
const PER_SECOND = 100;
/** Of the changes, one in so many is watched, and only when the last one was seen: to ask for all of them would be a load test of the search. */
const WATCH_EVERY = 10;
const WAIT_MS = 120_000;
/** Changed rows lie below this number, rows that are deleted above. */
const CHANGED_ROWS = 5_000;

/** What a change does, and until when it is looked for. */
interface Kind {
  readonly name: string;
  change(place: LivePlace, n: number, mark: string): Promise<void>;
  /** Asks until the change shows. */
  seen(place: LivePlace, n: number, mark: string): Promise<void>;
  readonly p50?: number;
  readonly p99?: number;
  readonly from: string;
}

const KINDS: readonly Kind[] = [
  { name: 'hybrid', change: update, seen: found('hybrid'), p50: 10, p99: 40, from: 'G7' },
  { name: 'lexical', change: update, seen: found('lexical'), p50: 8, from: 'G7' },
  { name: 'delete', change: remove, seen: gone, p99: 40, from: 'G18' },
];

export const freshness: Scenario = {
  name: 'freshness',
  question: `From COMMIT in PostgreSQL to a search that shows it, or shows it no more, at ${PER_SECOND} changes/s beside ${DOCUMENTS} documents? (hash embedder)`,
  async run({ rounds, quick, say }) {
    const figures = new Figures();
    for (let round = 0; round < rounds; round++) {
      await using place = await openLivePlace();
      const documents = quick ? 500 : DOCUMENTS;
      await place.insert(Array.from({ length: documents }, (_, n) => rowOf(n, documents)));
      place.start();
      await place.caughtUp();
      await place.loopDelay();
      for (const kind of KINDS) {
        const cpu = place.product.cpuSeconds;
        const { ms, perSecond, seconds } = await drive(place, kind, documents, quick ? 3 : 20);
        const [p50, p99] = [quantile(ms, 0.5), quantile(ms, 0.99)];
        const { p50: goal50, p99: goal99, from } = kind;
        figures.add(`${kind.name}: p50`, 'ms', p50, goal50 === undefined ? undefined : { atMost: goal50, from });
        figures.add(`${kind.name}: p99`, 'ms', p99, goal99 === undefined ? undefined : { atMost: goal99, from });
        figures.add(`${kind.name}: changes`, '1/s', perSecond);
        figures.add(`${kind.name}: CPU of the product`, 'cores', (place.product.cpuSeconds - cpu) / seconds);
        const { p99: loop99, max } = await place.loopDelay();
        figures.add(`${kind.name}: event loop blocked, p99`, 'ms', loop99);
        figures.add(`${kind.name}: event loop blocked, max`, 'ms', max);
        say(`${kind.name}: p50 ${p50.toFixed(1)}, p99 ${p99.toFixed(1)} ms of ${ms.length}`);
      }
      for (const mode of ['hybrid', 'lexical'] as const) {
        const ms = await alone(place, mode, quick ? 20 : 200);
        figures.add(`a ${mode} search alone: p50`, 'ms', quantile(ms, 0.5));
      }
      figures.add('load average', '', load());
    }
    return {
      figures: figures.all,
      notes: [
        `Each change commits alone; every ${WATCH_EVERY}th is watched, unless the last one is not seen yet: searches one after the other, from the return of COMMIT to the reply that shows it, so the search that finds it is part of the time. A search in flight when the change arrives is part of it, too.`,
        'A deleted document must be in no leg (lexical, dense, hybrid), not be served by its id and not be cited by an answer.',
        'The searches, their client and PostgreSQL share the cores with the product.',
      ],
    };
  },
};

/** Two halves: rows that change, and rows that are deleted. */
function rowOf(n: number, documents: number): TableRow {
  const number = n < documents / 2 ? n : CHANGED_ROWS + n;
  return { n: number, title: `Article ${number}`, body: `${textOf(number, CHARACTERS)} ${markOf(number, 0)}.` };
}

/** A word that stands in one version of one row. */
function markOf(n: number, version: number): string {
  return `mark${n}v${version}`;
}

async function drive(
  place: LivePlace,
  kind: Kind,
  documents: number,
  seconds: number,
): Promise<{ readonly ms: readonly number[]; readonly perSecond: number; readonly seconds: number }> {
  const ms: number[] = [];
  let watching: Promise<void> | undefined;
  const begun = systemClock.monotonicMs();
  const count = Math.min(PER_SECOND * seconds, documents / 2);
  for (let i = 0; i < count; i++) {
    const aheadMs = begun + (i * 1_000) / PER_SECOND - systemClock.monotonicMs();
    if (aheadMs > 0) await systemClock.sleep(aheadMs);
    const isWatched = i % WATCH_EVERY === 0 && !watching;
    const mark = markOf(i, Math.floor(begun) + 1);
    // Only what is watched is deleted: the rest of the load is the same for all kinds.
    const n = kind.name === 'delete' && isWatched ? CHANGED_ROWS + documents / 2 + i : i;
    await (isWatched ? kind.change(place, n, mark) : update(place, n, mark));
    if (!isWatched) continue;
    const committed = systemClock.monotonicMs();
    watching = kind.seen(place, n, mark).then(() => {
      ms.push(systemClock.monotonicMs() - committed);
      watching = undefined;
    });
    watching.catch(() => undefined); // whoever waits for it at the end gets the error
  }
  const tookMs = systemClock.monotonicMs() - begun;
  await watching;
  return { ms, perSecond: (1_000 * count) / tookMs, seconds: (systemClock.monotonicMs() - begun) / 1_000 };
}

async function update({ database }: LivePlace, n: number, mark: string): Promise<void> {
  await database.query('UPDATE articles SET body = $2 WHERE id = $1', [n, `${textOf(n, CHARACTERS)} ${mark}.`]);
}

async function remove({ database }: LivePlace, n: number): Promise<void> {
  await database.query('DELETE FROM articles WHERE id = $1', [n]);
}

function found(mode: 'hybrid' | 'lexical'): Kind['seen'] {
  return (place, n, mark) => repeat(() => place.shows(n, { query: mark, k: 5, mode }, mark));
}

async function gone(place: LivePlace, n: number): Promise<void> {
  const query = markOf(n, 0);
  for (const mode of ['hybrid', 'lexical', 'dense'] as const)
    await repeat(async () => !(await place.shows(n, { query, k: 5, mode })));
  const address = await place.product.address;
  await repeat(async () => (await fetch(`${address}/v1/documents/${encodeURIComponent(idOf(n))}`)).status === 404);
  const answer = await ask<object>(`${address}/v1/answer`, { question: query, mode: 'lexical' });
  if (JSON.stringify(answer).includes(idOf(n))) throw new Error('an answer cites a deleted document');
}

/** Asks one time after the other until it holds. */
async function repeat(holds: () => Promise<boolean>): Promise<void> {
  const deadline = systemClock.monotonicMs() + WAIT_MS;
  while (!(await holds())) if (systemClock.monotonicMs() > deadline) throw new Error(`not within ${WAIT_MS} ms`);
}

async function alone(place: LivePlace, mode: NonNullable<SearchRequest['mode']>, count: number): Promise<number[]> {
  const ms: number[] = [];
  for (let n = 0; n < count; n++) {
    const begun = systemClock.monotonicMs();
    await place.search({ query: markOf(n, 0), k: 5, mode });
    ms.push(systemClock.monotonicMs() - begun);
  }
  return ms;
}
