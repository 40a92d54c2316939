import { systemClock } from '../../runtime/clock.ts';
import { ARCHIVE_TABLE, ARCHIVE_TOPIC, archivedRow, changeOf, SOURCE, TABLE, textOf } from '../corpus.ts';
import { Figures, load, quantile, until, type Scenario } from '../measure.ts';
import { ask } from '../ask.ts';
import { openPlace, type Place } from './place.ts';

const WAIT_MS = 300_000;
const CHARACTERS = 600;
const LIVE_GAP_MS = 300;
const POLL_MS = 20;

export const backfill: Scenario = {
  name: 'backfill',
  question:
    'Does a live change wait for a backfill that runs beside it, and the backfill for live changes? (hash embedder)',
  async run({ rounds, quick, say }) {
    const figures = new Figures();
    const rows = quick ? 2_000 : 20_000;
    for (let round = 0; round < rounds; round++) {
      const tables = [TABLE, ARCHIVE_TABLE].map((table) => ({ table, title: 'title', body: 'body' }));
      const source = {
        name: SOURCE,
        kind: 'postgres' as const,
        connection: 'postgres://nobody@localhost/none',
        tables,
      };
      await using place = await openPlace({ config: { sources: [source] } });
      await place.log.createTopics([{ name: ARCHIVE_TOPIC, partitions: 3, cleanup: 'delete' }]);
      const roles = [place.start('prepare'), place.start('index')];
      await Promise.all(roles.map(({ address }) => address));
      await liveChanges(place, 0, 3, () => false);
      const idle = await liveChanges(place, 100, quick ? 5 : 40, () => false);
      const alone = await fillArchive(place, 0, rows);
      let isOver = false;
      const beside = fillArchive(place, rows, rows).finally(() => (isOver = true));
      const live = await liveChanges(place, 1_000, Number.POSITIVE_INFINITY, () => isOver);
      const rate = await beside;
      figures.add('live alone, p50', 's', quantile(idle, 0.5) / 1000);
      figures.add('live alone, p99', 's', quantile(idle, 0.99) / 1000);
      figures.add('live beside a backfill, p50', 's', quantile(live, 0.5) / 1000);
      figures.add('live beside a backfill, p99', 's', quantile(live, 0.99) / 1000);
      figures.add('live p99, beside / alone', 'ratio', quantile(live, 0.99) / quantile(idle, 0.99), {
        atMost: 2,
        from: 'G14',
      });
      figures.add('backfill alone', 'rows/s', alone);
      figures.add('backfill beside live changes', 'rows/s', rate);
      figures.add('backfill, beside / alone', 'ratio', rate / alone, { atLeast: 0.85, from: 'G14' });
      figures.add('load average', '', load());
      say(
        `live p50 ${quantile(idle, 0.5).toFixed(0)} ms alone, ${quantile(live, 0.5).toFixed(0)} ms beside; backfill ${alone.toFixed(0)} and ${rate.toFixed(0)} rows/s`,
      );
    }
    return {
      figures: figures.all,
      notes: [
        `A backfill is ${rows} rows of another table that stand in its topic at once; a live change every ${LIVE_GAP_MS} ms at most, one after the other, from its append to the first search that finds it.`,
        'All on the same cores: what the backfill takes of them is missing to live changes whoever goes first.',
      ],
    };
  },
};

/** One change after the other. @returns ms of each, from the append until a search finds it */
async function liveChanges(
  place: Place,
  from: number,
  count: number,
  isOver: () => boolean,
): Promise<readonly number[]> {
  const ms: number[] = [];
  for (let n = 0; n < count && !isOver(); n++) {
    const lsn = 1_000_000 + from + n;
    const begun = systemClock.monotonicMs();
    await place.fill([changeOf(from + n, lsn, { title: 'Live', body: textOf(from + n, CHARACTERS) })]);
    const query = { query: { term: { version: lsn } } };
    const isFound = async (): Promise<boolean> =>
      (await ask<{ readonly count: number }>(`${place.elasticsearch}/${place.name}-*/_count`, query)).count > 0;
    await until('a live change searchable', WAIT_MS, isFound, POLL_MS);
    ms.push(systemClock.monotonicMs() - begun);
    await systemClock.sleep(LIVE_GAP_MS - (ms.at(-1) ?? 0));
  }
  return ms;
}

/** @returns rows per second, until the last one is searchable */
async function fillArchive(place: Place, from: number, rows: number): Promise<number> {
  const records = Array.from({ length: rows }, (_, i) =>
    archivedRow(from + i, { title: `Row ${from + i}`, body: textOf(7_000_000 + from + i, CHARACTERS) }),
  );
  const query = { query: { prefix: { id: `${SOURCE}/${ARCHIVE_TABLE}/` } } };
  const found = async (): Promise<number> =>
    (await ask<{ readonly count: number }>(`${place.elasticsearch}/${place.name}-*/_count`, query)).count;
  const begun = systemClock.monotonicMs();
  await place.fill(records);
  await until('the backfill searchable', WAIT_MS, async () => (await found()) >= from + rows, 200);
  return (1000 * rows) / (systemClock.monotonicMs() - begun);
}
