import type { Log, LogRecord } from '../../ports/log/log.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { TableConfig } from '../../runtime/config/config.ts';
import {
  classify,
  ContentUnavailable,
  DocumentTooLarge,
  MappingFailed,
  RecordUnreadable,
} from '../../runtime/errors.ts';
import type { Document, DocumentChange, Tombstone } from '../../schemas/document.ts';
import { decodeDocumentChange } from '../../schemas/documents-codec.ts';
import { NEW_KEY_HEADER, OLD_KEY_HEADER, type Envelope, type Row } from '../../schemas/envelope.ts';
import { documentId, parseDocumentId, type DocumentId } from '../../schemas/ids.ts';
import { parseLsn } from '../../schemas/lsn.ts';
import { DOCUMENTS_TOPIC } from '../../schemas/topics.ts';
import { parseVersion, sourceVersion, type SourceVersion } from '../../schemas/version.ts';
import type { HookRecord } from '../../schemas/webhook-event.ts';
import type { DeadLetters } from '../dead-letters.ts';
import { columnText, wellFormed } from '../mapping/column-text.ts';
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
  /** Repeats the version of a tombstone, to drop the content that it carried for a rename. */
  readonly purge?: true;
}

/**
 * Turns records of source topics into changes of documents: projects rows by the config, orders them by version, carries
 * unchanged TOASTed columns and renamed documents over from the last version in `freshet.documents`.
 */
export function decodeChange(options: DecodeChangeOptions): Stage<LogRecord, DecodedChange> {
  const waiting = new Map<string, number>();

  /** @throws Blocked while the first half of a key change, with the text, has yet to come through its own partition. */
  function awaitFirstHalf(record: LogRecord, index: number, content: SourceRecord, known: Known): void {
    const oldId = renamedFrom(record);
    const version = versionOf(record);
    if (!oldId || version === undefined || content.kind !== 'envelope') return;
    const table = options.tables.get(record.topic);
    if (!table || !content.envelope.after || !hasUnavailable(content.envelope.after, table)) return;
    const hasCome =
      (known.last.get(oldId)?.version ?? -1n) >= version ||
      (known.last.get(record.key as DocumentId)?.version ?? -1n) >= version;
    const place = `${record.topic}/${record.partition}/${record.offset}`;
    const sinceMs = waiting.get(place) ?? options.clock.monotonicMs();
    if (hasCome || options.clock.monotonicMs() - sinceMs > RENAME_WAIT_MS) return void waiting.delete(place);
    waiting.set(place, sinceMs);
    throw new Blocked(index);
  }

  return {
    name: 'decode-change',
    async run(records, signal) {
      const read = records.map((record) => attempt(() => ({ record, content: readSourceRecord(record) })));
      const known = await lastVersions(
        read.flatMap((one) => (one instanceof Error ? [] : [one])),
        options,
        signal,
      );
      return records.map((record, index): Verdict<DecodedChange> => {
        const one = read[index];
        if (!one || one instanceof Error) return reject(classify(one));
        if (record.value === null) return drop('filtered'); // Debezium's own tombstone behind a delete
        if (record.value.byteLength > options.maxDocumentBytes)
          return reject(
            new DocumentTooLarge(
              `The record has ${record.value.byteLength} bytes; pipeline.maxDocumentBytes allows ${options.maxDocumentBytes}.`,
            ),
          );
        awaitFirstHalf(record, index, one.content, known);
        const change = attempt(() => decode(record, one.content, known, options));
        if (change instanceof Error) return reject(classify(change));
        if (change === 'superseded') return drop('superseded');
        remember(change, known);
        const purge = purgeOfRename(record, known);
        if (purge) remember(purge, known);
        const { partition } = record;
        return purge
          ? emit<DecodedChange>({ change, partition }, { change: purge, partition, purge: true })
          : emit<DecodedChange>({ change, partition });
      });
    },
  };
}

/** Last version of the documents that a batch has to look back to; grows with what the batch itself emits. */
interface Known {
  readonly last: Map<DocumentId, Document | Tombstone>;
  readonly parked: Map<DocumentId, SourceVersion>;
}

function remember(change: DocumentChange, known: Known): void {
  if (change.kind === 'document' || change.kind === 'tombstone') known.last.set(change.id, change);
}

async function lastVersions(
  read: readonly { record: LogRecord; content: SourceRecord }[],
  options: DecodeChangeOptions,
  signal: AbortSignal,
): Promise<Known> {
  const ids = new Set<DocumentId>();
  for (const { record, content } of read) {
    if (content.kind !== 'envelope') continue;
    const table = options.tables.get(record.topic);
    const oldId = renamedFrom(record);
    if (oldId) ids.add(oldId);
    if (oldId || record.headers[NEW_KEY_HEADER] !== undefined) ids.add(record.key as DocumentId);
    if (table && content.envelope.after && hasUnavailable(content.envelope.after, table))
      ids.add(record.key as DocumentId);
  }
  const known: Known = { last: new Map(), parked: new Map() };
  if (ids.size === 0) return known;
  const wanted = [...ids];
  const [records, parked] = await Promise.all([
    options.log.latest(DOCUMENTS_TOPIC, wanted, signal),
    options.deadLetters.parked(wanted, signal),
  ]);
  wanted.forEach((id, index) => {
    const value = records[index]?.value;
    const change = value && decodeDocumentChange(Buffer.from(value).toString('utf8'));
    if (change) remember(change, known);
    const version = parked[index];
    if (version !== undefined) known.parked.set(id, version);
  });
  return known;
}

function decode(
  record: LogRecord,
  content: SourceRecord,
  known: Known,
  options: DecodeChangeOptions,
): DocumentChange | 'superseded' {
  switch (content.kind) {
    case 'marker':
      return content.marker;
    case 'hook':
      return decodeHook(record, content.hook);
    case 'envelope':
      return decodeEnvelope(record, content.envelope, known, options);
  }
}

function decodeEnvelope(
  record: LogRecord,
  envelope: Envelope,
  known: Known,
  options: DecodeChangeOptions,
): Document | Tombstone | 'superseded' {
  const table = options.tables.get(record.topic);
  if (!table) throw new MappingFailed(`No mapping for the topic ${record.topic}; its table has left the config.`);
  const lsn = parseLsn(envelope.source.lsn);
  if (lsn === undefined) throw new RecordUnreadable('/source/lsn is not a log sequence number.');
  const head = {
    ...origin(record),
    version: sourceVersion(envelope.source.epoch, envelope.op === 'r' ? 0n : lsn),
    position: envelope.source.commitLsn,
    committedAt: envelope.source.ts_ms,
  };
  if (envelope.op === 'd') return tombstone(record, head, known);
  if (!envelope.after) throw new RecordUnreadable(`/after is null in a change of kind ${envelope.op}.`);
  if ((known.last.get(head.id)?.version ?? -1n) > head.version) return 'superseded';
  const base = hasUnavailable(envelope.after, table)
    ? contentBefore(head.id, renamedFrom(record), head.version, known)
    : undefined;
  return { kind: 'document', ...head, ...projectRow(envelope.after, table, base) };
}

/** Once the renamed document has taken the content over, the tombstone of its former id is written again without it. */
function purgeOfRename(record: LogRecord, known: Known): Tombstone | undefined {
  const oldId = renamedFrom(record);
  const former = oldId && known.last.get(oldId);
  if (former?.kind !== 'tombstone' || !former.carried) return undefined;
  const { carried: _, ...rest } = former;
  return rest;
}

type Head = Omit<Tombstone, 'kind' | 'carried'>;

function origin(record: LogRecord): Pick<Head, 'id' | 'source'> {
  const key = parseDocumentId(record.key);
  if (!key) throw new RecordUnreadable('The key of the record is not a document id.');
  return {
    id: record.key as DocumentId,
    source: { name: key.source, table: key.table, key: record.key.slice(record.key.lastIndexOf('/') + 1) },
  };
}

/** The delete half of a key change keeps the content until the create half, maybe on another partition, has taken it. */
function tombstone(record: LogRecord, head: Head, known: Known): Tombstone {
  const last = record.headers[NEW_KEY_HEADER] === undefined ? undefined : known.last.get(head.id);
  return { kind: 'tombstone', ...head, ...(last?.kind === 'document' && { carried: last }) };
}

/**
 * The version that an unchanged column comes from. A parked version in between may have changed that very column, so then the
 * change is parked too instead of being filled with older text.
 */
function contentBefore(id: DocumentId, oldId: DocumentId | undefined, version: SourceVersion, known: Known): Document {
  const last = known.last.get(oldId ?? id);
  const base = last?.kind === 'tombstone' ? last.carried : last;
  if (!base || base.version >= version)
    throw new ContentUnavailable('A TOASTed column was left out and no earlier version of the document is known.');
  const parked = known.parked.get(oldId ?? id);
  if (parked !== undefined && parked > base.version && parked < version)
    throw new ContentUnavailable(
      'An earlier version of this document is parked as a dead letter; retry that one first.',
    );
  return base;
}

function renamedFrom(record: LogRecord): DocumentId | undefined {
  const header = record.headers[OLD_KEY_HEADER];
  const key = parseDocumentId(record.key);
  if (header === undefined || !key) return undefined;
  const columns = JSON.parse(header) as Row;
  return documentId({ ...key, key: Object.values(columns).map(columnText) });
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
