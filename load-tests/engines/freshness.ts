import type { DocumentsRecord } from '../../schemas/document.ts';
import { DOCUMENTS_TOPIC } from '../../schemas/topics.ts';
import { systemClock } from '../../runtime/clock.ts';
import { pagesOf } from '../../ports/log/partitions.ts';
import { idOf, SOURCE, textOf, TOPIC } from '../corpus.ts';
import { Figures, load, quantile, until, type Scenario } from '../measure.ts';
import { ask } from '../ask.ts';
import { openPlace, type Place } from './place.ts';
import type { RoleProcess } from '../processes.ts';

const POLL_MS = 20;
const WAIT_MS = 60_000;
const IDLE_GAP_MS = 1_500;
/** Under load every so many changes one is watched: to ask for all of them would be load of its own, more the later they are. */
const WATCH_EVERY = 10;
/** Every so many changes one search waits for its position. */
const ASK_EVERY = 50;
const PREEXISTING = 500;

export const freshness: Scenario = {
  name: 'freshness',
  question:
    'How long from COMMIT in PostgreSQL until a search finds it? (Debezium, Kafka, Elasticsearch; a process for each role; hash embedder)',
  async run({ rounds, quick, say }) {
    const figures = new Figures();
    for (let round = 0; round < rounds; round++) {
      await using place = await openPlace({ kind: 'debezium' });
      await place.database.query('CREATE TABLE articles (id int PRIMARY KEY, title text, body text)');
      await insert(place, 0, PREEXISTING);
      for (const roles of ['connectors', 'prepare', 'index']) place.start(roles);
      const query = place.start('query');
      await query.address;
      await place.awaitIndexed(PREEXISTING, WAIT_MS);
      const idle = await drive(place, query, {
        from: 10_000,
        count: quick ? 4 : 20,
        gapMs: IDLE_GAP_MS,
        askEvery: 1_000_000,
        watchEvery: 1,
      });
      report(figures, 'idle', idle, { p50: 0.15, p99: 0.4, from: 'G8' });
      const seconds = quick ? 5 : 30;
      const loaded = await drive(place, query, {
        from: 100_000,
        count: 100 * seconds,
        gapMs: 10,
        askEvery: ASK_EVERY,
        watchEvery: WATCH_EVERY,
      });
      report(figures, '100/s', loaded, { p50: 1.2, p99: 3, from: 'acceptance' });
      figures.add('load average', '', load());
      say(
        `idle p50 ${quantile(idle.searchable, 0.5).toFixed(0)} ms; at 100/s p50 ${quantile(loaded.searchable, 0.5).toFixed(0)}, p99 ${quantile(loaded.searchable, 0.99).toFixed(0)} ms, ${loaded.perSecond.toFixed(0)} changes/s`,
      );
    }
    return {
      figures: figures.all,
      notes: [
        `Each change inserts a row of three to four passages and commits alone; under load every ${WATCH_EVERY}th is watched. "searchable" is seen from outside: every ${POLL_MS} ms the index is asked which of the open ids it finds, so it is up to ${POLL_MS} ms too long.`,
        'Hops are medians and 99th percentiles of each hop by itself; they do not add up. Times of topics are those that the producers wrote.',
        `"search with after" is POST /v1/search that waits for the position of the commit, every ${ASK_EVERY}th change; a position follows a heartbeat of Debezium and the flush of its offsets.`,
        'Refresh interval 1 s, sooner while little is written. One broker, one node, three partitions.',
      ],
    };
  },
};

interface Drive {
  readonly from: number;
  readonly count: number;
  readonly gapMs: number;
  readonly askEvery: number;
  readonly watchEvery: number;
}

/** Each in ms, of every change of a drive. */
interface Seen {
  readonly perSecond: number;
  readonly searchable: number[];
  readonly captured: number[];
  readonly prepared: number[];
  readonly indexed: number[];
  readonly refreshed: number[];
  readonly after: number[];
}

async function drive(
  place: Place,
  query: RoleProcess,
  { from, count, gapMs, askEvery, watchEvery }: Drive,
): Promise<Seen> {
  const committed = new Map<string, number>();
  const found = new Map<string, number>();
  const after: number[] = [];
  const asked: Promise<void>[] = [];
  const open = (): string[] => [...committed.keys()].filter((id) => !found.has(id));
  let ended = false;
  const watching = watch(place, open, found, () => ended);
  const begun = systemClock.monotonicMs();
  for (let i = 0; i < count; i++) {
    const ahead = begun + i * gapMs - systemClock.monotonicMs();
    if (ahead > 0) await systemClock.sleep(ahead);
    await insert(place, from + i, 1);
    if (i % watchEvery === 0) committed.set(idOf(from + i), systemClock.now());
    if (i % askEvery === 0) asked.push(searchAfter(place, query).then((ms) => void after.push(ms)));
  }
  const perSecond = (1000 * count) / (systemClock.monotonicMs() - begun);
  await until('all changes searchable', WAIT_MS, async () => found.size >= committed.size);
  ended = true;
  await watching;
  await Promise.all(asked);
  return { perSecond, after, ...(await hops(place, committed, found)) };
}

async function insert({ database }: Place, from: number, count: number): Promise<void> {
  const rows = Array.from({ length: count }, (_, i) => [from + i, `Article ${from + i}`, textOf(from + i, 1_200)]);
  const values = rows.map((_, i) => `($${3 * i + 1}, $${3 * i + 2}, $${3 * i + 3})`).join(',');
  await database.query(`INSERT INTO articles VALUES ${values}`, rows.flat());
}

/** Asks the index which of the open ids a search finds now. */
async function watch(
  { elasticsearch, name }: Place,
  open: () => string[],
  found: Map<string, number>,
  ended: () => boolean,
): Promise<void> {
  while (!ended()) {
    const ids = open();
    if (ids.length > 0) {
      const { hits } = await ask<{
        readonly hits: { readonly hits: readonly { readonly fields: { readonly id: readonly string[] } }[] };
      }>(`${elasticsearch}/${name}-*/_search?filter_path=hits.hits.fields`, {
        size: ids.length,
        _source: false,
        fields: ['id'],
        query: { bool: { filter: [{ terms: { id: ids } }] } },
      }).then((reply) => ({ hits: { hits: reply.hits?.hits ?? [] } }));
      const now = systemClock.now();
      for (const { fields } of hits.hits) for (const id of fields.id) if (!found.has(id)) found.set(id, now);
    }
    await systemClock.sleep(POLL_MS);
  }
}

async function searchAfter({ database }: Place, query: RoleProcess): Promise<number> {
  const { rows } = await database.query<{ lsn: string }>('SELECT pg_current_wal_insert_lsn()::text AS lsn');
  const begun = systemClock.monotonicMs();
  const body = { query: 'article', k: 1, mode: 'lexical', after: { [SOURCE]: rows[0]?.lsn ?? '' }, waitMs: WAIT_MS };
  await ask(`${await query.address}/v1/search`, body);
  return systemClock.monotonicMs() - begun;
}

/** Where the time went, from the timestamps that the topics and the index keep. */
async function hops(
  place: Place,
  committed: ReadonlyMap<string, number>,
  found: ReadonlyMap<string, number>,
): Promise<Omit<Seen, 'perSecond' | 'after'>> {
  const captured = await timestamps(place, TOPIC, committed, (record) => {
    const { payload, after } = JSON.parse(record) as { payload?: { after?: { id: number } }; after?: { id: number } };
    const row = payload?.after ?? after;
    return row && idOf(row.id);
  });
  const prepared = await timestamps(place, DOCUMENTS_TOPIC, committed, (record) => {
    const value = JSON.parse(record) as DocumentsRecord;
    return value.kind === 'document' ? value.id : undefined;
  });
  const indexed = await indexTimes(place, committed);
  const seen = {
    searchable: [] as number[],
    captured: [] as number[],
    prepared: [] as number[],
    indexed: [] as number[],
    refreshed: [] as number[],
  };
  for (const [id, at] of committed) {
    const [inSource, inDocuments, inIndex, inSearch] = [captured, prepared, indexed, found].map(
      (times) => times.get(id) ?? Number.NaN,
    );
    seen.searchable.push((inSearch ?? Number.NaN) - at);
    seen.captured.push((inSource ?? Number.NaN) - at);
    seen.prepared.push((inDocuments ?? Number.NaN) - (inSource ?? Number.NaN));
    seen.indexed.push((inIndex ?? Number.NaN) - (inDocuments ?? Number.NaN));
    seen.refreshed.push((inSearch ?? Number.NaN) - (inIndex ?? Number.NaN));
  }
  return seen;
}

async function timestamps(
  { log }: Place,
  topic: string,
  wanted: ReadonlyMap<string, number>,
  idIn: (value: string) => string | undefined,
): Promise<ReadonlyMap<string, number>> {
  const times = new Map<string, number>();
  for (const { partition, earliest, next } of await log.describe([topic])) {
    for await (const records of pagesOf(log, { topic, partition, offset: earliest }, next, 1_000))
      for (const record of records) {
        const id = record.value ? idIn(Buffer.from(record.value).toString()) : undefined;
        if (id !== undefined && wanted.has(id)) times.set(id, record.timestamp);
      }
  }
  return times;
}

async function indexTimes(
  { elasticsearch, name }: Place,
  wanted: ReadonlyMap<string, number>,
): Promise<ReadonlyMap<string, number>> {
  const times = new Map<string, number>();
  const ids = [...wanted.keys()];
  for (let i = 0; i < ids.length; i += 500) {
    const { docs } = await ask<{
      readonly docs: readonly { readonly _source: { readonly id: string; readonly indexedAt: number } }[];
    }>(`${elasticsearch}/${name}/_mget?_source=id,indexedAt`, { ids: ids.slice(i, i + 500) });
    for (const { _source: body } of docs) times.set(body.id, body.indexedAt);
  }
  return times;
}

function report(
  figures: Figures,
  when: string,
  seen: Seen,
  goal: { readonly p50: number; readonly p99: number; readonly from: string },
): void {
  const add = (what: string, values: readonly number[], goals?: typeof goal): void => {
    if (values.length === 0) return;
    for (const [label, share, atMost] of [
      ['p50', 0.5, goals?.p50],
      ['p99', 0.99, goals?.p99],
    ] as const)
      figures.add(
        `${when}: ${what}, ${label}`,
        's',
        quantile(values, share) / 1000,
        atMost === undefined ? undefined : { atMost, from: goals?.from ?? '' },
      );
  };
  add('commit -> searchable', seen.searchable, goal);
  add('  commit -> source topic', seen.captured);
  add('  source topic -> documents topic', seen.prepared);
  add('  documents topic -> written to the index', seen.indexed);
  add('  written -> searchable', seen.refreshed);
  add('search with after', seen.after);
  figures.add(`${when}: changes per second`, '1/s', seen.perSecond);
}
