import type { TableConfig } from '../../runtime/config/config.ts';
import { SourceMisconfigured } from '../../runtime/errors.ts';
import type { ConnectType, TableLayout } from '../../schemas/table-layout.ts';
import { mappedColumns, tableName } from '../captured-tables.ts';
import type { DebeziumSourceConfig } from './debezium-source.ts';
import { quoteIdent, type PgSession, type TextRow } from './pg-session.ts';

/** A table of the config as the database has it. */
export interface CapturedTable {
  readonly oid: number;
  /** As SQL names it, quoted. */
  readonly sqlName: string;
  /** Where its own rows are: not those of tables that inherit from it, but for partitions. */
  readonly rowsName: string;
  readonly layout: TableLayout;
}

const TABLES_SQL = `
WITH RECURSIVE base(oid, base) AS (
  SELECT oid, oid FROM pg_type WHERE typtype <> 'd'
  UNION ALL SELECT d.oid, b.base FROM pg_type d JOIN base b ON d.typbasetype = b.oid WHERE d.typtype = 'd')
SELECT c.oid, n.nspname AS schema, c.relname AS table, c.relkind AS kind, c.relreplident AS identity, c.relpersistence AS persistence,
  coalesce((SELECT json_agg(a.attname ORDER BY k.n) FROM pg_index i, unnest(i.indkey) WITH ORDINALITY k(attnum, n)
     JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
    WHERE i.indrelid = c.oid AND i.indisprimary AND k.n <= i.indnkeyatts), '[]') AS primary_key,
  coalesce((SELECT json_agg(a.attname ORDER BY k.n) FROM pg_index i, unnest(i.indkey) WITH ORDINALITY k(attnum, n)
     JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
    WHERE i.indrelid = c.oid AND i.indisreplident AND k.n <= i.indnkeyatts), '[]') AS identity_key,
  (SELECT json_agg(json_build_object('name', a.attname, 'type', t.typname, 'typtype', t.typtype, 'mod', a.atttypmod,
      'dims', a.attndims, 'generated', a.attgenerated <> '', 'element', e.typname, 'elementType', e.typtype,
      'elementDomain', el.typtype = 'd', 'storage', a.attstorage))
    FROM pg_attribute a JOIN base ON base.oid = a.atttypid JOIN pg_type t ON t.oid = base.base
      LEFT JOIN pg_type el ON t.typoutput = 'array_out'::regproc AND el.oid = t.typelem
      LEFT JOIN base eb ON eb.oid = el.oid LEFT JOIN pg_type e ON e.oid = eb.base
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relname = $2`;

interface CatalogColumn {
  readonly name: string;
  readonly type: string;
  readonly typtype: string;
  readonly mod: number;
  readonly dims: number;
  readonly generated: boolean;
  readonly element: string | null;
  readonly elementType: string | null;
  readonly elementDomain: boolean | null;
  /** `p`: never TOASTed. */
  readonly storage: string;
}

/**
 * Looks the tables of the config up.
 * @throws SourceMisconfigured naming everything that keeps a table from being captured, with the SQL that mends it
 */
export async function readTables(
  sql: PgSession,
  config: DebeziumSourceConfig,
  signal: AbortSignal,
): Promise<readonly CapturedTable[]> {
  const tables: CapturedTable[] = [];
  const faults: string[] = [];
  for (const table of config.tables) {
    const { schema, table: name } = tableName(table);
    const [row] = await sql.query(TABLES_SQL, [schema, name], signal);
    const captured = row ? capture(table, row) : [`Table ${table.table} does not exist.`];
    if (Array.isArray(captured)) faults.push(...(captured as string[]));
    else tables.push(captured as CapturedTable);
  }
  if (faults.length > 0) throw new SourceMisconfigured(`Source ${config.name}: ${faults.join(' ')}`);
  return tables;
}

/** The table, or what stands against capturing it. */
function capture(config: TableConfig, row: TextRow): CapturedTable | string[] {
  const { table } = config;
  const sqlName = `${quoteIdent(row['schema'] ?? '')}.${quoteIdent(row['table'] ?? '')}`;
  const columns = JSON.parse(row['columns'] ?? '[]') as CatalogColumn[];
  const primaryKey = JSON.parse(row['primary_key'] ?? '[]') as string[];
  const key = config.key ?? primaryKey;
  const identity = row['identity'] ?? 'd';
  const faults: string[] = [];
  if (!'rp'.includes(row['kind'] ?? '')) faults.push(`${table} is no table.`);
  if (row['persistence'] !== 'p') faults.push(`${table} is unlogged or temporary: ALTER TABLE ${sqlName} SET LOGGED;`);
  for (const name of new Set([...mappedColumns(config), ...key]))
    faults.push(...columnFaults(table, name, columns, { sqlName, isFull: identity === 'f' }));
  if (key.length === 0)
    faults.push(`${table} has no primary key: ALTER TABLE ${sqlName} ADD PRIMARY KEY (...); or state \`key\`.`);
  const identityKey = JSON.parse(row['identity_key'] ?? '[]') as string[];
  const covered = identity === 'f' ? key : identity === 'i' ? identityKey : identity === 'n' ? [] : primaryKey;
  if (!key.every((column) => covered.includes(column)))
    faults.push(
      `The replica identity of ${table} lacks its key (${key.join(', ')}), so that deletes cannot be told: ` +
        `ALTER TABLE ${sqlName} REPLICA IDENTITY ${config.key ? 'USING INDEX ...' : 'DEFAULT'};`,
    );
  if (faults.length > 0) return faults;
  const wanted = new Set([...mappedColumns(config), ...key]);
  const types = columns.filter(({ name }) => wanted.has(name)).map((column) => [column.name, connectTypeOf(column)]);
  return {
    oid: Number(row['oid']),
    sqlName,
    rowsName: row['kind'] === 'p' ? sqlName : `ONLY ${sqlName}`,
    layout: { table, key, columns: Object.fromEntries(types) as TableLayout['columns'] },
  };
}

/** Array elements that Debezium cannot carry at all: it leaves such columns out. */
const UNSUPPORTED_ELEMENTS = new Set(['money', 'interval', 'varbit', 'bit', 'xml', 'point', 'name', 'refcursor']);
/** Array elements of which an unchanged TOASTed value has a placeholder; of the others it comes as NULL. */
const ELEMENTS_WITH_PLACEHOLDER = new Set(
  'text varchar bpchar char citext uuid bytea json jsonb int2 int4 int8 oid inet cidr macaddr macaddr8 hstore'.split(
    ' ',
  ),
);

function columnFaults(
  table: string,
  name: string,
  columns: readonly CatalogColumn[],
  { sqlName, isFull }: { readonly sqlName: string; readonly isFull: boolean },
): string[] {
  const column = columns.find((one) => one.name === name);
  if (!column) return [`${table} has no column ${name}.`];
  if (column.generated) return [`Column ${name} of ${table} is generated, and those are not replicated.`];
  const { element } = column;
  if (element === null) return [];
  if (UNSUPPORTED_ELEMENTS.has(element))
    return [`Column ${name} of ${table} is ${element}[], which Debezium leaves out; map another column.`];
  if (column.dims > 1)
    return [
      `Column ${name} of ${table} has ${column.dims} dimensions, of which Debezium keeps one; map another column.`,
    ];
  const hasPlaceholder = ELEMENTS_WITH_PLACEHOLDER.has(element) && column.elementDomain !== true;
  if (!isFull && !hasPlaceholder && column.storage !== 'p')
    return [
      `Column ${name} of ${table} is ${element}[]: when an update leaves it unchanged, Debezium sends NULL for a long value. ` +
        `ALTER TABLE ${sqlName} REPLICA IDENTITY FULL;`,
    ];
  return [];
}

const SCALARS: Readonly<Record<string, ConnectType>> = {
  bool: { type: 'boolean' },
  int2: { type: 'int' },
  int4: { type: 'int' },
  int8: { type: 'int' },
  oid: { type: 'int', name: 'freshet.Text' },
  float4: { type: 'float' },
  float8: { type: 'double' },
  numeric: { type: 'string', name: 'freshet.Numeric' },
  money: { type: 'string', name: 'freshet.Money' },
  date: { type: 'string', name: 'io.debezium.time.IsoDate' },
  timestamp: { type: 'string', name: 'io.debezium.time.IsoTimestamp' },
  timestamptz: { type: 'string', name: 'io.debezium.time.ZonedTimestamp' },
  time: { type: 'string', name: 'io.debezium.time.IsoTime' },
  timetz: { type: 'string', name: 'io.debezium.time.ZonedTime' },
  interval: { type: 'string', name: 'io.debezium.time.Interval' },
  bytea: { type: 'bytes' },
  hstore: { type: 'string', name: 'freshet.Hstore' },
  point: { type: 'struct', name: 'io.debezium.data.geometry.Point' },
  vector: { type: 'array', name: 'io.debezium.data.DoubleVector' },
  halfvec: { type: 'array', name: 'io.debezium.data.FloatVector' },
};

/** Digits of a second's fraction where a column does not state them. */
const TIMESTAMP_DIGITS = 6;

/** Types that Debezium writes as the text that PostgreSQL prints. */
const TEXTS = new Set(
  'text varchar bpchar char name citext uuid json jsonb xml ltree tsvector isbn inet cidr macaddr macaddr8 tsrange tstzrange daterange int4range int8range numrange'.split(
    ' ',
  ),
);
const GEOMETRIC = new Set(['box', 'circle', 'line', 'lseg', 'path', 'polygon']);

/** How Debezium writes a column of this type, with the properties of connector-config.ts. */
export function connectTypeOf(
  column: Pick<CatalogColumn, 'type' | 'typtype' | 'mod' | 'element' | 'elementType' | 'elementDomain'>,
): ConnectType {
  const { type, typtype, mod, element } = column;
  if (element !== null) {
    // Elements of a domain come as bytes of their text.
    const items =
      column.elementDomain === true
        ? ({ type: 'bytes', name: 'freshet.Opaque' } as const)
        : connectTypeOf({
            type: element,
            typtype: column.elementType ?? 'b',
            mod: -1,
            element: null,
            elementType: null,
            elementDomain: null,
          });
    return { type: 'array', items };
  }
  if (type === 'bit' || type === 'varbit')
    return mod === 1 || (type === 'bit' && mod === -1)
      ? { type: 'boolean', name: 'freshet.Bit' }
      : { type: 'bytes', name: 'io.debezium.data.Bits', length: mod };
  const scalar = SCALARS[type];
  if (scalar && type === 'timestamptz') return { ...scalar, length: mod === -1 ? TIMESTAMP_DIGITS : mod };
  if (scalar) return scalar;
  if (typtype === 'e' || TEXTS.has(type)) return { type: 'string' };
  return { type: 'bytes', name: GEOMETRIC.has(type) ? 'freshet.Geometric' : 'freshet.Opaque' };
}
