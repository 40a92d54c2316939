import type { Log, LogRecord } from '../../ports/log/log.ts';
import type { SchemaRegistry } from '../../ports/schema-registry/schema-registry.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { TableConfig } from '../../runtime/config/config.ts';
import { classify, DocumentTooLarge, MappingFailed, RecordUnreadable } from '../../runtime/errors.ts';
import type { Document, DocumentChange, Tombstone } from '../../schemas/document.ts';
import { parseDocumentId, type DocumentId } from '../../schemas/ids.ts';
import type { Marker } from '../../schemas/marker.ts';
import { parseVersion } from '../../schemas/version.ts';
import type { HookRecord } from '../../schemas/webhook-event.ts';
import type { DeadLetters } from '../dead-letters.ts';
import { wellFormed } from '../mapping/column-text.ts';
import { rowTypes } from '../mapping/connect-schema.ts';
import { debeziumChange } from '../mapping/debezium-change.ts';
import { EarlierVersions, type LookBack } from '../mapping/earlier-versions.ts';
import { DEFAULT_TENANT, hasUnavailable, projectRow } from '../mapping/project-row.ts';
import { readSourceRecords, type SourceRecord } from '../mapping/read-record.ts';
import { ownChange, sourceOf, type RowChange, type TableCleared } from '../mapping/source-change.ts';
import { TableLayouts } from '../mapping/table-layouts.ts';
import { identify, identityOf } from '../records.ts';
import { PREPARE_GROUP } from '../topics.ts';
import { WaitingHalves } from './waiting-halves.ts';
import { Blocked, drop, emit, reject, type Stage, type Verdict } from '../stage.ts';

export interface DecodeChangeOptions {
  /** Mapping of every captured table, by topic. Topics of webhooks need none. */
  readonly tables: ReadonlyMap<string, TableConfig>;
  readonly log: Log;
  readonly deadLetters: Pick<DeadLetters, 'parked'>;
  /** Where the schemas of Avro records are; absent: such records are parked. */
  readonly schemaRegistry?: SchemaRegistry;
  readonly maxDocumentBytes: number;
  readonly clock: Clock;
}

/** A change with the partition it came through, which markers keep. */
export interface DecodedChange {
  readonly change: DocumentChange;
  readonly partition: number;
}

/** What a record says, whoever wrote it. */
type Content =
  | { readonly kind: 'marker'; readonly marker: Marker }
  | { readonly kind: 'hook'; readonly hook: HookRecord }
  | TableCleared
  | RowChange;

/** A record that could be read. */
interface Readable {
  readonly record: LogRecord;
  readonly content: Content;
  /** The row leaves out columns whose TOASTed value did not change. */
  readonly leavesOut: boolean;
}

/**
 * Turns records of source topics, our own connectors' and Debezium's alike, into changes of documents: projects rows by the config,
 * orders them by version, carries unchanged TOASTed columns and renamed documents over from the last version in `freshet.documents`.
 */
export function decodeChange(options: DecodeChangeOptions): Stage<LogRecord, DecodedChange> {
  const { log, clock } = options;
  const waiting = new WaitingHalves({ log, clock, group: PREPARE_GROUP });
  const layouts = new TableLayouts(options.log, options.clock);

  /** @throws Blocked while the first half of a key change, with the text, has yet to come through its own partition. */
  function awaitFirstHalf({ record, content, leavesOut }: Readable, index: number, earlier: EarlierVersions): void {
    if (content.kind !== 'row' || !content.keyChange || !leavesOut) return;
    const { id, version, keyChange, xidToCheck } = content;
    const isThere = earlier.shows(id, version, xidToCheck) || earlier.hasFirstHalf(keyChange, xidToCheck);
    if (!isThere && waiting.mustWait(record)) throw new Blocked(index);
    waiting.end(record);
  }

  return {
    name: 'decode-change',
    async run(records, signal) {
      const values = await readSourceRecords(records.map(withinLimit(options)), options.schemaRegistry, signal);
      await layouts.refresh(debeziumSources(values), signal);
      await waiting.look(signal);
      const read = records.map((record, index) => attempt(() => readable(record, values[index], layouts, options)));
      const earlier = await EarlierVersions.read(lookBack(read), options.log, options.deadLetters, signal);
      return records.map((record, index): Verdict<DecodedChange> => {
        const { partition } = record;
        const one = read[index];
        if (record.value === null) return drop('filtered'); // Debezium's own tombstone behind a delete
        if (!one || one instanceof Error) return park(record, one, earlier);
        awaitFirstHalf(one, index, earlier);
        const changes = attempt(() => decode(one, earlier, options));
        if (changes instanceof Error) return park(record, changes, earlier);
        if (changes.length === 0) return drop('superseded');
        for (const change of changes) earlier.remember(change);
        return emit(...changes.map((change) => ({ change, partition })));
      });
    },
  };
}

/** Rejects a record, and lets the later ones of its batch know that a version is missing. */
function park(record: LogRecord, cause: unknown, earlier: EarlierVersions): Verdict<never> {
  const { id, version } = identityOf(record) ?? {};
  if (id !== undefined && version !== undefined) earlier.park(id, version);
  return reject(classify(cause));
}

/** Leaves the value of a record that is too large unread. */
function withinLimit({ maxDocumentBytes }: DecodeChangeOptions): (record: LogRecord) => Pick<LogRecord, 'value'> {
  return ({ value }) => ({ value: value && value.byteLength <= maxDocumentBytes ? value : null });
}

function debeziumSources(values: readonly (SourceRecord | Error)[]): ReadonlySet<string> {
  return new Set(
    values.flatMap((value) =>
      !(value instanceof Error) && value.kind === 'debezium' ? [value.envelope.source.name] : [],
    ),
  );
}

/** @throws RecordUnreadable, DocumentTooLarge */
function readable(
  record: LogRecord,
  value: SourceRecord | Error | undefined,
  layouts: TableLayouts,
  { tables, maxDocumentBytes }: DecodeChangeOptions,
): Readable {
  const bytes = record.value?.byteLength ?? 0;
  if (bytes > maxDocumentBytes)
    throw new DocumentTooLarge(`The record has ${bytes} bytes; pipeline.maxDocumentBytes allows ${maxDocumentBytes}.`);
  if (!value || value instanceof Error) throw value ?? new RecordUnreadable('The record is empty.');
  const config = tables.get(record.topic);
  const content = contentOf(record, value, config, layouts);
  if (content.kind !== 'row') return { record, content, leavesOut: false };
  identify(record, { id: content.id, version: content.version });
  const leavesOut = config !== undefined && content.after !== null && hasUnavailable(content.after, config);
  return { record, content, leavesOut };
}

function contentOf(
  record: LogRecord,
  value: SourceRecord,
  config: TableConfig | undefined,
  layouts: TableLayouts,
): Content {
  switch (value.kind) {
    case 'marker':
    case 'hook':
      return value;
    case 'envelope':
      return ownChange(record, value.envelope);
    case 'debezium': {
      const layout = layouts.get(value.envelope.source.name, config?.table);
      return debeziumChange(record, value.envelope, { config, layout, types: rowTypes(value.schema) });
    }
  }
}

function lookBack(read: readonly (Readable | Error)[]): LookBack {
  const ids = new Set<DocumentId>();
  const keyChanges = [];
  for (const one of read) {
    if (one instanceof Error || one.content.kind !== 'row') continue;
    if (one.leavesOut || one.content.xidToCheck !== undefined) ids.add(one.content.id);
    if (one.content.keyChange) keyChanges.push(one.content.keyChange);
  }
  return { ids, keyChanges };
}

/** The changes that a record stands for; none when the document is known in this version or a newer one. */
function decode(one: Readable, earlier: EarlierVersions, options: DecodeChangeOptions): readonly DocumentChange[] {
  const { content, record } = one;
  switch (content.kind) {
    case 'marker':
      return [content.marker];
    case 'hook':
      return [decodeHook(record, content.hook)];
    case 'cleared':
      return [cleared(record, content)];
    case 'row':
      return decodeRow(one, content, earlier, options);
  }
}

/** It holds at once, in whichever partition it is read: a row below its version is gone in any case. */
function cleared(record: LogRecord, { source, table, version, position, committedAt }: TableCleared): DocumentChange {
  return {
    kind: 'remove-below',
    source,
    table,
    version: version.toString(),
    reason: 'truncate',
    lane: `${record.topic}/${record.partition}`,
    lanes: 1,
    position,
    committedAt,
  };
}

function decodeRow(
  { record, leavesOut }: Readable,
  { id, source, version, position, committedAt, after, keyChange, pgSnapshot, xidToCheck }: RowChange,
  earlier: EarlierVersions,
  options: DecodeChangeOptions,
): readonly DocumentChange[] {
  const table = options.tables.get(record.topic);
  if (!table) throw new MappingFailed(`No mapping for the topic ${record.topic}; its table has left the config.`);
  const head = { id, source, version, position, committedAt };
  if (earlier.reaches(id, version) || earlier.shows(id, version, xidToCheck)) return [];
  // The row was gone when it would have been read, by a change that comes behind this one.
  if (xidToCheck !== undefined && leavesOut && !keyChange && !earlier.isOfEpoch(id, version)) return [];
  if (!after) {
    const carried = keyChange && earlier.toCarry(keyChange);
    return [...(carried ? [carried] : []), { kind: 'tombstone', ...head }];
  }
  const base = leavesOut ? earlier.contentBefore(id, version, keyChange) : undefined;
  const taken = keyChange && earlier.taken(keyChange);
  const document = { ...head, ...projectRow(after, table, base), ...(pgSnapshot !== undefined && { pgSnapshot }) };
  return [{ kind: 'document', ...document }, ...(taken ? [taken] : [])];
}

type Head = Omit<Tombstone, 'kind'>;

function origin(record: LogRecord): Pick<Head, 'id' | 'source'> {
  const key = parseDocumentId(record.key);
  if (!key) throw new RecordUnreadable('The key of the record is not a document id.');
  const id = record.key as DocumentId;
  return { id, source: sourceOf(id, key) };
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
