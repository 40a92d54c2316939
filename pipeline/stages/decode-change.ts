import type { Log, LogRecord } from '../../ports/log/log.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { TableConfig } from '../../runtime/config/config.ts';
import { classify, DocumentTooLarge, MappingFailed, RecordUnreadable } from '../../runtime/errors.ts';
import type { Document, DocumentChange, Tombstone } from '../../schemas/document.ts';
import { envelopeVersion, NEW_KEY_HEADER, OLD_KEY_HEADER, type Envelope, type Row } from '../../schemas/envelope.ts';
import { documentId, parseDocumentId, type DocumentId } from '../../schemas/ids.ts';
import { parseVersion } from '../../schemas/version.ts';
import type { HookRecord } from '../../schemas/webhook-event.ts';
import type { DeadLetters } from '../dead-letters.ts';
import { columnText, wellFormed } from '../mapping/column-text.ts';
import { EarlierVersions, type KeyChange, type LookBack } from '../mapping/earlier-versions.ts';
import { DEFAULT_TENANT, hasUnavailable, projectRow } from '../mapping/project-row.ts';
import { readSourceRecord, type SourceRecord } from '../mapping/read-record.ts';
import { versionOf } from '../records.ts';
import { Blocked, drop, emit, reject, type Stage, type Verdict } from '../stage.ts';

export interface DecodeChangeOptions {
  /** Mapping of every captured table, by topic. Topics of webhooks need none. */
  readonly tables: ReadonlyMap<string, TableConfig>;
  readonly log: Log;
  readonly deadLetters: Pick<DeadLetters, 'parked'>;
  readonly maxDocumentBytes: number;
  readonly clock: Clock;
}

/** How long the second half of a key change waits for the first, which came through another partition, before it is parked, ms. */
const RENAME_WAIT_MS = 30_000;

/** A change with the partition it came through, which markers keep. */
export interface DecodedChange {
  readonly change: DocumentChange;
  readonly partition: number;
}

/** A record that could be read, with what decides how it is decoded. */
interface Readable {
  readonly record: LogRecord;
  readonly content: SourceRecord;
  readonly keyChange: KeyChange | undefined;
  /** The row leaves out columns whose TOASTed value did not change. */
  readonly leavesOut: boolean;
}

/**
 * Turns records of source topics into changes of documents: projects rows by the config, orders them by version, carries
 * unchanged TOASTed columns and renamed documents over from the last version in `freshet.documents`.
 */
export function decodeChange(options: DecodeChangeOptions): Stage<LogRecord, DecodedChange> {
  const waiting = new Map<string, number>();

  /** @throws Blocked while the first half of a key change, with the text, has yet to come through its own partition. */
  function awaitFirstHalf({ record, keyChange, leavesOut }: Readable, index: number, earlier: EarlierVersions): void {
    if (!keyChange || !leavesOut) return;
    const place = `${record.topic}/${record.partition}/${record.offset}`;
    const sinceMs = waiting.get(place) ?? options.clock.monotonicMs();
    const isLong = options.clock.monotonicMs() - sinceMs > RENAME_WAIT_MS;
    if (earlier.hasFirstHalf(keyChange) || isLong) return void waiting.delete(place);
    waiting.set(place, sinceMs);
    throw new Blocked(index);
  }

  return {
    name: 'decode-change',
    async run(records, signal) {
      const read = records.map((record) => attempt(() => readable(record, options)));
      const earlier = await EarlierVersions.read(lookBack(read), options.log, options.deadLetters, signal);
      return records.map(({ partition, value }, index): Verdict<DecodedChange> => {
        const one = read[index];
        if (value === null) return drop('filtered'); // Debezium's own tombstone behind a delete
        if (!one || one instanceof Error) return park(records[index], one, earlier);
        awaitFirstHalf(one, index, earlier);
        const changes = attempt(() => decode(one, earlier, options));
        if (changes instanceof Error) return park(records[index], changes, earlier);
        if (changes.length === 0) return drop('superseded');
        for (const change of changes) earlier.remember(change);
        return emit(...changes.map((change) => ({ change, partition })));
      });
    },
  };
}

/** Rejects a record, and lets the later ones of its batch know that a version is missing. */
function park(record: LogRecord | undefined, cause: unknown, earlier: EarlierVersions): Verdict<never> {
  const version = record && versionOf(record);
  if (record && version !== undefined) earlier.park(record.key as DocumentId, version);
  return reject(classify(cause));
}

/** @throws RecordUnreadable, DocumentTooLarge */
function readable(record: LogRecord, { tables, maxDocumentBytes }: DecodeChangeOptions): Readable {
  const bytes = record.value?.byteLength ?? 0;
  if (bytes > maxDocumentBytes)
    throw new DocumentTooLarge(`The record has ${bytes} bytes; pipeline.maxDocumentBytes allows ${maxDocumentBytes}.`);
  const content = readSourceRecord(record);
  const table = tables.get(record.topic);
  const row = content.kind === 'envelope' ? content.envelope.after : null;
  return {
    record,
    content,
    keyChange: content.kind === 'envelope' ? keyChangeOf(record, content.envelope) : undefined,
    leavesOut: table !== undefined && row !== null && hasUnavailable(row, table),
  };
}

function lookBack(read: readonly (Readable | Error)[]): LookBack {
  const ids = new Set<DocumentId>();
  const keyChanges: KeyChange[] = [];
  for (const one of read) {
    if (one instanceof Error) continue;
    if (one.leavesOut) ids.add(one.record.key as DocumentId);
    if (one.keyChange) keyChanges.push(one.keyChange);
  }
  return { ids, keyChanges };
}

/** The key change that a record is one half of: the delete half names the new key, the create half the old one. */
function keyChangeOf(record: LogRecord, envelope: Envelope): KeyChange | undefined {
  const own = parseDocumentId(record.key);
  const version = envelopeVersion(envelope);
  const header = record.headers[NEW_KEY_HEADER] ?? record.headers[OLD_KEY_HEADER];
  if (header === undefined || !own || version === undefined) return undefined;
  const other = documentId({ ...own, key: Object.values(JSON.parse(header) as Row).map(columnText) });
  const id = record.key as DocumentId;
  return record.headers[NEW_KEY_HEADER] === undefined
    ? { from: other, to: id, version }
    : { from: id, to: other, version };
}

/** The changes that a record stands for; none when the document is known in this version or a newer one. */
function decode(one: Readable, earlier: EarlierVersions, options: DecodeChangeOptions): readonly DocumentChange[] {
  switch (one.content.kind) {
    case 'marker':
      return [one.content.marker];
    case 'hook':
      return [decodeHook(one.record, one.content.hook)];
    case 'envelope':
      return decodeEnvelope(one, one.content.envelope, earlier, options);
  }
}

function decodeEnvelope(
  { record, keyChange, leavesOut }: Readable,
  envelope: Envelope,
  earlier: EarlierVersions,
  options: DecodeChangeOptions,
): readonly DocumentChange[] {
  const table = options.tables.get(record.topic);
  if (!table) throw new MappingFailed(`No mapping for the topic ${record.topic}; its table has left the config.`);
  const version = envelopeVersion(envelope);
  if (version === undefined) throw new RecordUnreadable('/source/lsn is not a log sequence number.');
  const { commitLsn: position, ts_ms: committedAt } = envelope.source;
  const head = { ...origin(record), version, position, committedAt };
  if (earlier.reaches(head.id, head.version)) return [];
  if (envelope.op === 'd') {
    const carried = keyChange && earlier.toCarry(keyChange);
    return [...(carried ? [carried] : []), { kind: 'tombstone', ...head }];
  }
  if (!envelope.after) throw new RecordUnreadable(`/after is null in a change of kind ${envelope.op}.`);
  const base = leavesOut ? earlier.contentBefore(head.id, head.version, keyChange) : undefined;
  const taken = keyChange && earlier.taken(keyChange);
  return [{ kind: 'document', ...head, ...projectRow(envelope.after, table, base) }, ...(taken ? [taken] : [])];
}

type Head = Omit<Tombstone, 'kind'>;

function origin(record: LogRecord): Pick<Head, 'id' | 'source'> {
  const key = parseDocumentId(record.key);
  if (!key) throw new RecordUnreadable('The key of the record is not a document id.');
  return {
    id: record.key as DocumentId,
    source: { name: key.source, table: key.table, key: record.key.slice(record.key.lastIndexOf('/') + 1) },
  };
}

function decodeHook(
  record: LogRecord,
  { event, version: text, position, receivedAt }: HookRecord,
): Document | Tombstone {
  const version = parseVersion(text);
  if (version === undefined) throw new RecordUnreadable('/version is not a version.');
  const head = { ...origin(record), version, position, committedAt: receivedAt };
  if (event.type === 'delete') return { kind: 'tombstone', ...head };
  const { document } = event;
  if (!document) throw new MappingFailed('The event is an upsert without a document.');
  return {
    kind: 'document',
    ...head,
    title: wellFormed(document.title ?? ''),
    parts: [{ name: 'body', text: wellFormed(document.body) }],
    bodyFormat: document.bodyFormat ?? 'text',
    tenant: document.tenant ?? DEFAULT_TENANT,
    acl: document.acl ?? null,
    metadata: document.metadata ?? {},
  };
}

function attempt<T>(run: () => T): T | Error {
  try {
    return run();
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}
