import Type from 'typebox';
import { parseLsn } from './lsn.ts';
import { sourceVersion, type SourceVersion } from './version.ts';

/** What Debezium writes in place of an unchanged TOASTed value. Never stored, indexed or embedded (B13). */
export const UNAVAILABLE = '__debezium_unavailable_value';

/** Record header that carries the former key, as JSON, on the create of a primary-key change. */
export const OLD_KEY_HEADER = '__debezium.oldkey';
/** Record header that carries the new key, as JSON, on the delete of a primary-key change. */
export const NEW_KEY_HEADER = '__debezium.newkey';

/**
 * A column's value. Text as the database prints it, except: safe integers are numbers, booleans are booleans, arrays are arrays
 * of such values, SQL NULL is null.
 */
export const ColumnValue = Type.Cyclic(
  {
    ColumnValue: Type.Union([
      Type.String(),
      Type.Number(),
      Type.Boolean(),
      Type.Null(),
      Type.Array(Type.Ref('ColumnValue')),
    ]),
  },
  'ColumnValue',
);
export type ColumnValue = string | number | boolean | null | readonly ColumnValue[];

/** A row, by column name. */
export const Row = Type.Record(Type.String(), ColumnValue);
export type Row = { readonly [column: string]: ColumnValue };

/** Where and when a change happened. `lsn` is the change's own position, `commitLsn` the end of its transaction. */
export const EnvelopeSource = Type.Object({
  connector: Type.String(),
  name: Type.String({ description: 'Name of the source in the config.' }),
  schema: Type.String(),
  table: Type.String(),
  lsn: Type.String({ description: "The change's own position, PostgreSQL's notation." }),
  commitLsn: Type.String({ description: 'End of the transaction, as a later position waits for it.' }),
  txId: Type.Optional(Type.Number()),
  pgSnapshot: Type.Optional(
    Type.String({
      description:
        'What a row shows that was read when an interrupted snapshot went on, as pg_current_snapshot() prints it.',
    }),
  ),
  mayBeRead: Type.Optional(
    Type.Literal(true, {
      description: 'A row that was read when an interrupted snapshot went on may show the change.',
    }),
  ),
  ts_ms: Type.Number({ description: 'Commit time, ms since the epoch.' }),
  snapshot: Type.Union([Type.Literal('true'), Type.Literal('false')]),
  epoch: Type.Integer({
    minimum: 0,
    maximum: 255,
    description: 'Rises with every re-snapshot, restore or failover of the source.',
  }),
});
export type EnvelopeSource = Type.Static<typeof EnvelopeSource>;

/**
 * One change of one row in Debezium's shape (its value, without the schema part). `r` is a snapshot read, `t` a TRUNCATE (no key,
 * no row), `m` one of our own markers (see `Marker`).
 */
export const Envelope = Type.Object({
  op: Type.Union([Type.Literal('c'), Type.Literal('u'), Type.Literal('d'), Type.Literal('r'), Type.Literal('t')]),
  before: Type.Union([Row, Type.Null()]),
  after: Type.Union([Row, Type.Null()]),
  source: EnvelopeSource,
  ts_ms: Type.Number({ description: 'When the connector wrote it, ms since the epoch.' }),
});
export type Envelope = Omit<Type.Static<typeof Envelope>, 'before' | 'after'> & {
  readonly before: Row | null;
  readonly after: Row | null;
};

/**
 * The version of the document that a change of a row makes: the change's own position. A snapshot read stands below every change of
 * its epoch (B11). Undefined when the position is not an LSN.
 */
export function envelopeVersion({ op, source }: Pick<Envelope, 'op' | 'source'>): SourceVersion | undefined {
  const lsn = parseLsn(source.lsn);
  return lsn === undefined ? undefined : sourceVersion(source.epoch, op === 'r' ? 0n : lsn);
}
