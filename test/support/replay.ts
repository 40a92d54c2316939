import type { LogRecord } from '../../ports/log/log.ts';
import type { Envelope, Row } from '../../schemas/envelope.ts';
import { UNAVAILABLE, OLD_KEY_HEADER } from '../../schemas/envelope.ts';
import { documentId, type DocumentId } from '../../schemas/ids.ts';
import { parseLsn } from '../../schemas/lsn.ts';
import type { Marker, RemoveBelow } from '../../schemas/marker.ts';
import { CONNECTOR_STATE_TOPIC } from '../../schemas/topics.ts';
import { sees } from '../../schemas/pg-snapshot.ts';
import { parseVersion, sourceVersion } from '../../schemas/version.ts';

interface Entry {
  readonly version: bigint;
  /** undefined: deleted */
  readonly row: Row | undefined;
  /** What a row that was read shows of what comes behind it. */
  readonly pgSnapshot?: string | undefined;
}

/**
 * What the records of a log say the tables hold, by the rule that the whole product lives by: the higher version wins, a
 * deletion is a version too, a range tombstone refuses what is below it, an unchanged TOASTed value is carried over, and what a row
 * shows already is not taken again.
 */
export function replay(records: readonly LogRecord[]): Map<DocumentId, Row> {
  const entries = new Map<string, Entry>();
  const floors = new Map<string, bigint>();
  const lanes = new Map<string, Set<string>>();
  for (const record of records) {
    if (record.topic === CONNECTOR_STATE_TOPIC || !record.value) continue;
    const value = JSON.parse(Buffer.from(record.value).toString()) as Envelope | Marker;
    if ('kind' in value) {
      if (value.kind === 'remove-below') removeBelow(value, floors, lanes, entries);
    } else applyEnvelope(record, value, entries, floors);
  }
  const live = [...entries].flatMap(([id, { row }]): [DocumentId, Row][] => (row ? [[id as DocumentId, row]] : []));
  return new Map(live.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function removeBelow(
  marker: RemoveBelow,
  floors: Map<string, bigint>,
  lanes: Map<string, Set<string>>,
  entries: Map<string, Entry>,
): void {
  const version = parseVersion(marker.version) ?? 0n;
  const seen = lanes.get(`${marker.table}@${version}`) ?? new Set();
  lanes.set(`${marker.table}@${version}`, seen.add(marker.lane));
  if (seen.size < marker.lanes) return;
  const floor = floors.get(marker.table) ?? 0n;
  floors.set(marker.table, floor > version ? floor : version);
  const prefix = documentId({ source: marker.source, table: marker.table, key: [''] });
  for (const [id, entry] of entries)
    if (id.startsWith(prefix) && entry.version < version) entries.set(id, { version: entry.version, row: undefined });
}

function applyEnvelope(
  record: LogRecord,
  { op, after, source }: Envelope,
  entries: Map<string, Entry>,
  floors: Map<string, bigint>,
): void {
  const version = sourceVersion(source.epoch, parseLsn(source.lsn) ?? 0n);
  const before = entries.get(record.key);
  if (version < (floors.get(`${source.schema}.${source.table}`) ?? 0n)) return;
  if (before && before.version >= version) return;
  if (source.mayBeRead && before?.pgSnapshot !== undefined && sees(before.pgSnapshot, source.txId ?? 0)) return;
  const formerKey = record.headers[OLD_KEY_HEADER];
  const former = formerKey === undefined ? before : entries.get(idOf(source, JSON.parse(formerKey) as Row));
  const row = op === 'd' || !after ? undefined : carryOver(after, former?.row ?? lastRows.get(former ?? {}));
  const isOfEpoch = before !== undefined && before.version >= sourceVersion(source.epoch, 0n);
  if (source.mayBeRead && formerKey === undefined && !isOfEpoch && Object.values(after ?? {}).includes(UNAVAILABLE))
    return;
  const entry = { version, row, pgSnapshot: source.pgSnapshot };
  if (!row && before?.row) lastRows.set(entry, before.row);
  entries.set(record.key, entry);
}

/** What a deleted entry held, for the create that follows a delete when a key changes. */
const lastRows = new WeakMap<object, Row>();

function idOf(source: Envelope['source'], key: Row): DocumentId {
  return documentId({
    source: source.name,
    table: `${source.schema}.${source.table}`,
    key: Object.values(key).map(String),
  });
}

function carryOver(row: Row, former: Row | undefined): Row {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [name, value === UNAVAILABLE ? (former?.[name] ?? value) : value]),
  );
}

/**
 * Changes that come first after a watermark which says that they came before it: each is a broken promise (I11). A change is known by
 * its row and its own position, since it may come again.
 */
export function brokenPromises(records: readonly LogRecord[]): string[] {
  const seen = new Set<string>();
  const promised = new Map<string, { epoch: number; position: bigint }>();
  const broken: string[] = [];
  for (const record of records) {
    if (record.topic === CONNECTOR_STATE_TOPIC || !record.value) continue;
    const lane = `${record.topic}/${record.partition}`;
    const value = JSON.parse(Buffer.from(record.value).toString()) as Envelope | Marker;
    if ('kind' in value) {
      if (value.kind === 'watermark')
        promised.set(lane, { epoch: value.epoch, position: parseLsn(value.position) ?? 0n });
      continue;
    }
    const change = `${record.key} ${value.op} ${value.source.epoch} ${value.source.lsn}`;
    const promise = promised.get(lane);
    const isCovered =
      promise !== undefined &&
      promise.epoch === value.source.epoch &&
      (parseLsn(value.source.commitLsn) ?? 0n) < promise.position;
    if (isCovered && !seen.has(change) && value.source.snapshot === 'false') broken.push(change);
    seen.add(change);
  }
  return broken;
}
