import { RecordUnreadable } from '../../runtime/errors.ts';
import {
  envelopeVersion,
  NEW_KEY_HEADER,
  OLD_KEY_HEADER,
  type ColumnValue,
  type Envelope,
  type EnvelopeSource,
  type Row,
} from '../../schemas/envelope.ts';
import { documentId } from '../../schemas/ids.ts';
import { tableTopic, VERSION_HEADER } from '../../schemas/topics.ts';
import type { AppendRecord } from '../../ports/log/log.ts';
import type { CapturedTable, KeyColumn } from './catalog.ts';
import { columnValue, type ColumnType } from './column-value.ts';
import type { Delete, Insert, Tuple, TupleColumn, Update } from './pgoutput.ts';

/** What of a table decides its records. */
export type TupleTable = Pick<CapturedTable, 'schema' | 'table' | 'columns'> & {
  readonly key: readonly Pick<KeyColumn, 'name'>[];
};

/** A table's columns as they are at one point of the stream, in tuple order. */
export interface TupleLayout {
  readonly table: TupleTable;
  readonly columns: readonly { readonly name: string; readonly type: ColumnType }[];
}

/** What all changes of one transaction share. */
export type ChangeOrigin = Omit<EnvelopeSource, 'connector' | 'schema' | 'table'>;

/** Key columns as text, in the order of the key. */
type Key = readonly string[];

/** A change of one row as records of its table's topic: one, or two when the key changed. */
export function changeRecords(
  change: Insert | Update | Delete,
  layout: TupleLayout,
  origin: ChangeOrigin,
  writtenAt: number,
): AppendRecord[] {
  const record = (op: Envelope['op'], key: Key, row: Row, headers?: Readonly<Record<string, string>>): AppendRecord =>
    envelopeRecord({ op, key, row, layout, origin, writtenAt, headers });
  switch (change.kind) {
    case 'insert':
      return [record('c', keyOf(layout, change.after), rowOf(layout, change.after))];
    case 'delete':
      return [record('d', keyOf(layout, change.before), keyRow(layout, change.before))];
    case 'update': {
      const after = change.before ? filled(change.after, change.before) : change.after;
      const key = keyOf(layout, after);
      const row = rowOf(layout, after);
      const oldKey = change.before && keyOf(layout, change.before);
      if (!change.before || !oldKey || sameKey(key, oldKey)) return [record('u', key, row)];
      const formerKey = keyRow(layout, change.before);
      return [
        record('d', oldKey, formerKey, { [NEW_KEY_HEADER]: JSON.stringify(keyRow(layout, after)) }),
        record('c', key, row, { [OLD_KEY_HEADER]: JSON.stringify(formerKey) }),
      ];
    }
  }
}

/** A row of a snapshot. */
export function snapshotRecord(layout: TupleLayout, row: Tuple, origin: ChangeOrigin, writtenAt: number): AppendRecord {
  return envelopeRecord({ op: 'r', key: keyOf(layout, row), row: rowOf(layout, row), layout, origin, writtenAt });
}

interface EnvelopeParts {
  readonly op: Envelope['op'];
  readonly key: Key;
  readonly row: Row;
  readonly layout: TupleLayout;
  readonly origin: ChangeOrigin;
  readonly writtenAt: number;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

function envelopeRecord({ op, key, row, layout, origin, writtenAt, headers }: EnvelopeParts): AppendRecord {
  const { schema, table } = layout.table;
  const envelope: Envelope = {
    op,
    before: op === 'd' ? row : null,
    after: op === 'd' ? null : row,
    source: { connector: 'postgresql', schema, table, ...origin },
    ts_ms: writtenAt,
  };
  const version = envelopeVersion(envelope);
  return {
    topic: tableTopic(origin.name, schema, table),
    key: documentId({ source: origin.name, table: `${schema}.${table}`, key }),
    value: Buffer.from(JSON.stringify(envelope)),
    headers: { ...headers, ...(version !== undefined && { [VERSION_HEADER]: version.toString() }) },
  };
}

/** The new tuple with what the update left out taken from the old one, where that has it (REPLICA IDENTITY FULL, or a TOASTed key). */
function filled(after: Tuple, before: Tuple): Tuple {
  return after.map((column, i) => {
    const old = before[i];
    return column.kind === 'unchanged' && old?.kind === 'text' ? old : column;
  });
}

/** Mapped columns and key; a mapped column that the table has lost is absent, and the mapping decides what that means. */
function rowOf(layout: TupleLayout, tuple: Tuple): Row {
  return Object.fromEntries(
    layout.columns.flatMap(({ name, type }, i): [string, ColumnValue][] => {
      const column = tuple[i];
      return column && layout.table.columns.has(name) ? [[name, columnValue(column, type)]] : [];
    }),
  );
}

function keyRow(layout: TupleLayout, tuple: Tuple): Row {
  return Object.fromEntries(
    layout.table.key.map(({ name }) => {
      const at = layout.columns.findIndex((column) => column.name === name);
      return [name, columnValue(keyColumn(layout, tuple, name), layout.columns[at]?.type ?? { kind: 'text' })];
    }),
  );
}

/** Texts of the key's columns, in its order. @throws RecordUnreadable when the tuple lacks one */
export function keyOf(layout: TupleLayout, tuple: Tuple): Key {
  return layout.table.key.map(({ name }) => keyColumn(layout, tuple, name).text);
}

function keyColumn(layout: TupleLayout, tuple: Tuple, name: string): Extract<TupleColumn, { kind: 'text' }> {
  const column = tuple[layout.columns.findIndex((one) => one.name === name)];
  if (column?.kind !== 'text')
    throw new RecordUnreadable(
      `A change of ${layout.table.schema}.${layout.table.table} has no value in key column ${name}.`,
    );
  return column;
}

function sameKey(a: Key, b: Key): boolean {
  return a.every((part, i) => part === b[i]);
}
