import Type from 'typebox';

/**
 * The type of a column as Kafka Connect describes it: what decides how a value of a change is printed. `name` is the semantic type
 * (`io.debezium.time.IsoTimestamp`), or one of ours where Connect has none (see `LayoutTypeName`).
 */
export const ConnectType = Type.Cyclic(
  {
    ConnectType: Type.Object({
      type: Type.String({ description: 'string, boolean, int, float, double, bytes, array, struct or map' }),
      name: Type.Optional(Type.String()),
      items: Type.Optional(Type.Ref('ConnectType')),
      length: Type.Optional(
        Type.Integer({
          description: 'Bits of a bit string; digits behind the point of a decimal, or of the seconds of a time stamp.',
        }),
      ),
    }),
  },
  'ConnectType',
);
export interface ConnectType {
  readonly type: 'string' | 'boolean' | 'int' | 'float' | 'double' | 'bytes' | 'array' | 'struct' | 'map';
  readonly name?: string;
  readonly items?: ConnectType;
  readonly length?: number;
}

/** Semantic types of PostgreSQL that Debezium writes under a plain type, so that only the catalog tells them. */
export type LayoutTypeName =
  /** A bit string of length 1, which comes as a boolean. */
  | 'freshet.Bit'
  /** NaN and the infinities come as `NAN`, `POSITIVE_INFINITY`, `NEGATIVE_INFINITY`. */
  | 'freshet.Numeric'
  | 'freshet.Money'
  | 'freshet.Hstore'
  /** An integer that our own connector leaves as text: oid. */
  | 'freshet.Text'
  /** A type that Debezium does not know: the text of the value as bytes. */
  | 'freshet.Opaque'
  /** As Opaque, with numbers that Java has printed (`1.0`). */
  | 'freshet.Geometric';

/** One captured table as its database has it now. */
export const TableLayout = Type.Object({
  table: Type.String({ description: '`schema.table` of the config.' }),
  key: Type.Array(Type.String(), { description: 'Columns of the document id, in the order of the key.' }),
  columns: Type.Record(Type.String(), ConnectType),
});
/** One captured table as its database has it now. */
export interface TableLayout {
  readonly table: string;
  readonly key: readonly string[];
  readonly columns: Readonly<Record<string, ConnectType>>;
}

/** What a connector keeps in `freshet.connector-state` for those who read changes without a schema. */
export const SourceLayout = Type.Object({ tables: Type.Array(TableLayout) });
/** What a connector keeps in `freshet.connector-state` for those who read changes without a schema. */
export interface SourceLayout {
  readonly tables: readonly TableLayout[];
}

/** Key of a source's layout in `freshet.connector-state`. */
export function layoutKey(source: string): string {
  return `~layout/${source}`;
}
