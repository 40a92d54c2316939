import Type from 'typebox';
import { Compile } from 'typebox/compile';
import type { LogRecord } from '../../ports/log/log.ts';
import type { TableConfig } from '../../runtime/config/config.ts';
import { RecordUnreadable } from '../../runtime/errors.ts';
import { UNAVAILABLE, type Row } from '../../schemas/envelope.ts';
import { documentId, type DocumentId } from '../../schemas/ids.ts';
import { formatLsn, type Lsn } from '../../schemas/lsn.ts';
import {
  binlogFileNumber,
  binlogPositionText,
  clusterTimeText,
  positionBits,
  type SourcePosition,
} from '../../schemas/source-position.ts';
import type { TableLayout } from '../../schemas/table-layout.ts';
import { EPOCH_HEADER } from '../../schemas/topics.ts';
import { MAX_EPOCH, sourceVersion } from '../../schemas/version.ts';
import { columnText } from './column-text.ts';
import type { ColumnTypes } from './connect-schema.ts';
import { columnValue } from './connect-value.ts';
import { parseExact } from './exact-json.ts';
import { documentRow, fieldValue } from './extended-json.ts';
import { projectedColumns } from './project-row.ts';
import { keyChangeOf, sourceOf, type ChangePlace, type RowChange, type TableCleared } from './source-change.ts';

const Long = Type.Union([Type.Integer(), Type.String({ pattern: '^-?\\d+$' }), Type.BigInt()]);
const optional = <T extends Type.TSchema>(schema: T) => Type.Optional(Type.Union([schema, Type.Null()]));
const Values = Type.Record(Type.String(), Type.Unknown());

/** The part of Debezium's envelope that is read: of PostgreSQL, MySQL, MariaDB and MongoDB. */
const DebeziumEnvelope = Type.Object({
  op: Type.Union([Type.Literal('c'), Type.Literal('u'), Type.Literal('d'), Type.Literal('r'), Type.Literal('t')]),
  before: optional(Type.Union([Values, Type.String()])),
  after: optional(Type.Union([Values, Type.String()])),
  source: Type.Object({
    connector: Type.String(),
    name: Type.String(),
    ts_ms: Long,
    db: optional(Type.String()),
    schema: optional(Type.String()),
    table: optional(Type.String()),
    collection: optional(Type.String()),
    lsn: optional(Long),
    file: optional(Type.String()),
    pos: optional(Long),
    row: optional(Type.Integer()),
    ord: optional(Type.Integer()),
  }),
});
export type DebeziumEnvelope = Type.Static<typeof DebeziumEnvelope>;
type DebeziumSource = DebeziumEnvelope['source'];

/** Checks what is read of a value of Debezium's. */
export const debeziumEnvelope = Compile(DebeziumEnvelope);

/** What is known of the table behind a topic. */
export interface TableFacts {
  readonly config: TableConfig | undefined;
  /** As the catalog has it; absent when no connector of ours has written it down. */
  readonly layout: TableLayout | undefined;
  /** By the schema that came with the record. */
  readonly types: ColumnTypes;
}

/**
 * Reads an envelope of Debezium's. The same row gives the same id, version and column values as through our own connector.
 * @throws RecordUnreadable
 */
export function debeziumChange(
  record: LogRecord,
  envelope: DebeziumEnvelope,
  facts: TableFacts,
): RowChange | TableCleared {
  const { op, source } = envelope;
  const table = facts.config?.table ?? tableOf(source);
  const place = placeOf(record, envelope);
  if (op === 't') return { kind: 'cleared', source: source.name, table, ...place };
  const values = op === 'd' ? envelope.before : envelope.after;
  if (op !== 'd' && (values === null || values === undefined))
    throw new RecordUnreadable(`/after is null in a change of kind ${op}.`);
  const read = rowReader(facts);
  const row = values === null || values === undefined ? {} : read(values, [...keyColumns(facts), ...columnsOf(facts)]);
  const idOf = (key: Row): DocumentId =>
    documentId({ source: source.name, table, key: orderedKey(key, facts).map(columnText) });
  const id = idOf(keyOf(record, row, facts));
  return {
    kind: 'row',
    id,
    source: sourceOf(id, { source: source.name, table }),
    ...place,
    after: op === 'd' ? null : row,
    keyChange: keyChangeOf(record, id, place.version, (key) => idOf(read(key, Object.keys(key)))),
  };
}

function tableOf({ schema, db, table, collection }: DebeziumSource): string {
  return `${schema ?? db ?? ''}.${table ?? collection ?? ''}`;
}

/** Columns of the id, where something says which they are; Debezium's own key tells them otherwise. */
function keyColumns({ config, layout }: TableFacts): readonly string[] {
  return layout?.key ?? config?.key ?? [];
}

function columnsOf({ config }: TableFacts): readonly string[] {
  return config ? projectedColumns(config) : [];
}

type ReadRow = (values: Readonly<Record<string, unknown>> | string, columns: readonly string[]) => Row;

/** Takes columns out of a row; MongoDB's rows are one text. A column that the row does not have stays absent. */
function rowReader({ layout, types }: TableFacts): ReadRow {
  return (values, columns) => {
    if (typeof values === 'string') return attempt(() => documentRow(values), '/after is not Extended JSON.');
    const present = columns.filter((column) => Object.hasOwn(values, column));
    return Object.fromEntries(
      present.map((column) => [column, columnValue(values[column], layout?.columns[column] ?? types(column))]),
    );
  };
}

/** The key by the row where it is whole, since values of the row have types; else by the record's own key. */
function keyOf(record: LogRecord, row: Row, facts: TableFacts): Row {
  const columns = keyColumns(facts);
  const isWhole = columns.every(
    (column) => row[column] !== undefined && row[column] !== null && row[column] !== UNAVAILABLE,
  );
  if (columns.length > 0 && isWhole) return Object.fromEntries(columns.map((column) => [column, row[column] ?? null]));
  const key = attempt(() => parseExact(record.key), 'The key of the record is not JSON, and its row does not hold it.');
  if (typeof key !== 'object' || key === null) throw new RecordUnreadable('The key of the record is not an object.');
  const fields = ('payload' in key && 'schema' in key ? key.payload : key) as Readonly<Record<string, unknown>>;
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      name,
      columnValue(documentKey(value), facts.layout?.columns[name] ?? facts.types(name)),
    ]),
  );
}

/** MongoDB's `_id` comes as Extended JSON within the text: `{"id": "{\"$oid\": \"...\"}"}`. */
function documentKey(value: unknown): unknown {
  if (typeof value !== 'string' || !/^[{"]/.test(value)) return value;
  try {
    return fieldValue(parseExact(value));
  } catch {
    return value;
  }
}

function orderedKey(key: Row, facts: TableFacts): Row[string][] {
  const columns = keyColumns(facts);
  const isKnown = columns.length > 0 && columns.every((column) => Object.hasOwn(key, column));
  const ordered = isKnown ? columns.map((column) => key[column] ?? null) : Object.values(key);
  if (ordered.length === 0) throw new RecordUnreadable('The record has no key.');
  return ordered;
}

function placeOf(record: LogRecord, { op, source }: DebeziumEnvelope): ChangePlace {
  const epoch = Number(record.headers[EPOCH_HEADER] ?? 0);
  if (!Number.isInteger(epoch) || epoch < 0 || epoch > MAX_EPOCH)
    throw new RecordUnreadable(`The header ${EPOCH_HEADER} is no epoch.`);
  const position = positionOf(source, op === 'r');
  const bits = op === 'r' ? 0n : attempt(() => positionBits(position));
  return {
    version: sourceVersion(epoch, bits),
    position: positionText(position),
    committedAt: Number(source.ts_ms),
  };
}

/** A row that was read needs no position of its own; a change without one cannot be ordered. */
function positionOf(source: DebeziumSource, isRead: boolean): SourcePosition {
  if (source.lsn !== undefined && source.lsn !== null) return { kind: 'lsn', lsn: BigInt(source.lsn) };
  const file = typeof source.file === 'string' ? binlogFileNumber(source.file) : undefined;
  if (file !== undefined) return { kind: 'binlog', file, offset: BigInt(source.pos ?? 0), row: source.row ?? 0 };
  if (source.ord !== undefined && source.ord !== null)
    return { kind: 'cluster-time', seconds: Math.floor(Number(source.ts_ms) / 1_000), increment: source.ord };
  if (isRead) return { kind: 'binlog', file: 0, offset: 0n, row: 0 };
  throw new RecordUnreadable('/source names no position.');
}

function positionText(position: SourcePosition): string {
  switch (position.kind) {
    case 'lsn':
      return formatLsn(position.lsn as Lsn);
    case 'binlog':
      return binlogPositionText(position.file, position.offset);
    case 'cluster-time':
      return clusterTimeText(position.seconds, position.increment);
  }
}

/** @throws RecordUnreadable with `message`, or with what a RangeError says of a position that does not fit. */
function attempt<T>(run: () => T, message?: string): T {
  try {
    return run();
  } catch (cause) {
    if (cause instanceof RecordUnreadable) throw cause;
    throw new RecordUnreadable(
      message ?? (cause instanceof RangeError ? cause.message : 'The record has no position.'),
    );
  }
}
