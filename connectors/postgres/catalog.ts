import type { Clock } from '../../runtime/clock.ts';
import { SourceMisconfigured } from '../../runtime/errors.ts';
import type { PostgresSourceConfig, TableConfig } from '../../runtime/config/config.ts';
import { mappedColumns, tableName } from '../captured-tables.ts';
import { TEXT, type ColumnType } from './column-value.ts';
import { quoteIdent, type PgSession, type TextRow } from './pg-connection.ts';

/** A table of the config as the database has it. */
export interface CapturedTable {
  readonly oid: number;
  /** Names of the config: topics and ids keep them when the table is renamed. */
  readonly schema: string;
  readonly table: string;
  /** The name in the database now, quoted; with ONLY, so that tables which inherit from it stay tables of their own. */
  readonly sqlName: string;
  /** Columns of the document id, in primary-key order, with their SQL types. */
  readonly key: readonly KeyColumn[];
  /** Columns that an envelope holds: the mapped ones and the key. */
  readonly columns: ReadonlySet<string>;
}

export interface KeyColumn {
  readonly name: string;
  readonly sqlType: string;
}

const TABLES_SQL = `
SELECT c.oid, n.nspname AS schema, c.relname AS table, c.relkind AS kind, c.relreplident AS identity,
  c.relpersistence AS persistence,
  coalesce((SELECT json_agg(a.attname ORDER BY k.n) FROM pg_index i, unnest(i.indkey) WITH ORDINALITY k(attnum, n)
     JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
    WHERE i.indrelid = c.oid AND i.indisprimary AND k.n <= i.indnkeyatts), '[]') AS primary_key,
  (SELECT i.indimmediate FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary) AS immediate,
  coalesce((SELECT json_agg(a.attname ORDER BY k.n) FROM pg_index i, unnest(i.indkey) WITH ORDINALITY k(attnum, n)
     JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
    WHERE i.indrelid = c.oid AND i.indisreplident AND k.n <= i.indnkeyatts), '[]') AS identity_key,
  (SELECT json_object_agg(a.attname, format_type(a.atttypid, a.atttypmod)) FROM pg_attribute a
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
  (SELECT coalesce(json_agg(a.attname), '[]') FROM pg_attribute a
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> '') AS generated
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace`;

/**
 * Looks the tables of the config up. A table that was renamed since `known` is found by its number.
 * @throws SourceMisconfigured naming every table that cannot be captured, with the SQL that mends it
 */
export async function readTables(
  sql: PgSession,
  config: PostgresSourceConfig,
  known: readonly { readonly name: string; readonly oid: number }[],
  signal: AbortSignal,
): Promise<CapturedTable[]> {
  const tables: CapturedTable[] = [];
  const faults: string[] = [];
  for (const table of config.tables) {
    const { schema, table: name } = tableName(table);
    const byName = await sql.query(`${TABLES_SQL} WHERE n.nspname = $1 AND c.relname = $2`, [schema, name], signal);
    const oid = known.find((one) => one.name === table.table)?.oid;
    const found =
      byName[0] ?? (oid === undefined ? [] : await sql.query(`${TABLES_SQL} WHERE c.oid = $1`, [oid], signal))[0];
    const captured = found ? capture(table, found) : [`Table ${table.table} does not exist.`];
    if (Array.isArray(captured)) faults.push(...captured);
    else tables.push(captured);
  }
  if (faults.length > 0) throw new SourceMisconfigured(`Source ${config.name}: ${faults.join(' ')}`);
  return tables;
}

/** The table, or what stands against capturing it. */
export function capture(config: TableConfig, row: TextRow): CapturedTable | string[] {
  const { schema, table } = tableName(config);
  const sqlName = `${quoteIdent(row['schema'] ?? '')}.${quoteIdent(row['table'] ?? '')}`;
  const types = JSON.parse(row['columns'] ?? '{}') as Record<string, string>;
  const generated = JSON.parse(row['generated'] ?? '[]') as string[];
  const primaryKey = JSON.parse(row['primary_key'] ?? '[]') as string[];
  const identityKey = JSON.parse(row['identity_key'] ?? '[]') as string[];
  const faults: string[] = [];
  if (!'rp'.includes(row['kind'] ?? '')) faults.push(`${config.table} is no table.`);
  if (row['persistence'] !== 'p')
    faults.push(`${config.table} is unlogged or temporary: ALTER TABLE ${sqlName} SET LOGGED;`);
  const key = config.key ?? primaryKey;
  const mapped = mappedColumns(config);
  for (const column of [...mapped, ...key]) {
    if (!(column in types)) faults.push(`${config.table} has no column ${column}.`);
    if (generated.includes(column))
      faults.push(`Column ${column} of ${config.table} is generated, and those are not replicated.`);
  }
  faults.push(...keyFaults(config, { sqlName, key, primaryKey, identityKey, row }));
  if (faults.length > 0) return faults;
  return {
    oid: Number(row['oid']),
    schema,
    table,
    sqlName: row['kind'] === 'p' ? sqlName : `ONLY ${sqlName}`,
    key: key.map((name) => ({ name, sqlType: types[name] ?? 'text' })),
    columns: new Set([...mapped, ...key]),
  };
}

interface KeyFacts {
  readonly sqlName: string;
  readonly key: readonly string[];
  readonly primaryKey: readonly string[];
  readonly identityKey: readonly string[];
  readonly row: TextRow;
}

/**
 * A delete carries the columns of the replica identity only, so they must include the key of the document; and the key must be
 * unique at every moment, which a deferrable primary key is not (rows could swap ids within one statement).
 */
function keyFaults(config: TableConfig, { sqlName, key, primaryKey, identityKey, row }: KeyFacts): string[] {
  const mend = `ALTER TABLE ${sqlName} REPLICA IDENTITY DEFAULT;`;
  if (key.length === 0)
    return [
      `${config.table} has no primary key: ALTER TABLE ${sqlName} ADD PRIMARY KEY (...); or state \`key\` and use a unique index: ` +
        `ALTER TABLE ${sqlName} REPLICA IDENTITY USING INDEX ...;`,
    ];
  const covers = (columns: readonly string[]): boolean => key.every((column) => columns.includes(column));
  switch (row['identity'] ?? 'd') {
    case 'n':
      return [`${config.table} has REPLICA IDENTITY NOTHING, so that deletes cannot be seen: ${mend}`];
    case 'f':
      return !config.key && row['immediate'] === 'f'
        ? [`The primary key of ${config.table} is deferrable: make it NOT DEFERRABLE.`]
        : [];
    case 'i':
      return covers(identityKey)
        ? []
        : [`The replica identity of ${config.table} lacks the key (${key.join(', ')}): ${mend}`];
    default:
      if (!covers(primaryKey) || primaryKey.length !== key.length)
        return [
          `\`key\` of ${config.table} is not its primary key: ALTER TABLE ${sqlName} REPLICA IDENTITY USING INDEX ...;`,
        ];
      return row['immediate'] === 'f'
        ? [`The primary key of ${config.table} is deferrable: make it NOT DEFERRABLE, or deletes cannot be seen.`]
        : [];
  }
}

const TYPES_SQL = `
WITH RECURSIVE base(oid, base) AS (
  SELECT oid, oid FROM pg_type WHERE typtype <> 'd'
  UNION ALL SELECT d.oid, b.base FROM pg_type d JOIN base b ON d.typbasetype = b.oid WHERE d.typtype = 'd')
SELECT base.oid, t.oid AS base, t.typdelim AS delimiter,
  CASE WHEN t.typoutput = 'array_out'::regproc THEN t.typelem ELSE 0 END AS element
FROM base JOIN pg_type t ON t.oid = base.base
WHERE t.typoutput = 'array_out'::regproc OR t.oid IN (16, 20, 21, 23)`;

const BOOLEAN_OID = 16;

const VISIBLE_ATTEMPTS = 50;
const VISIBLE_RETRY_MS = 10;

/**
 * Waits until the catalog shows the types. The server streams a transaction as soon as its commit is on disk, a moment before other
 * sessions see what it has created. A type that was dropped since never shows; its values stay text.
 */
async function visible(oids: readonly number[], sql: PgSession, clock: Clock, signal: AbortSignal): Promise<void> {
  for (let attempt = 0; attempt < VISIBLE_ATTEMPTS; attempt++) {
    const rows = await sql.query('SELECT oid FROM pg_type WHERE oid = ANY($1::oid[])', [`{${oids.join()}}`], signal);
    if (rows.length === new Set(oids).size) return;
    await clock.sleep(VISIBLE_RETRY_MS, signal);
  }
}

/**
 * Types by number: those whose values are not plain text. Read again when a relation uses a number that is not known, since types
 * come while we run.
 */
export class ColumnTypes {
  private readonly types = new Map<number, ColumnType>();
  private readonly asked = new Set<number>();

  /** Reads the catalog when one of `oids` is new. */
  async learn(oids: readonly number[], sql: PgSession, clock: Clock, signal: AbortSignal): Promise<void> {
    const unknown = oids.filter((oid) => !this.asked.has(oid));
    if (unknown.length === 0) return;
    await visible(unknown, sql, clock, signal);
    const rows = await sql.query(TYPES_SQL, [], signal);
    const elements = new Map(rows.map((row) => [Number(row['oid']), row]));
    const typeOf = (oid: number): ColumnType => {
      const row = elements.get(oid);
      if (!row) return TEXT;
      const element = Number(row['element']);
      if (element !== 0) return { kind: 'array', delimiter: row['delimiter'] ?? ',', element: typeOf(element) };
      return { kind: Number(row['base']) === BOOLEAN_OID ? 'boolean' : 'integer' };
    };
    for (const oid of elements.keys()) this.types.set(oid, typeOf(oid));
    for (const oid of oids) this.asked.add(oid);
  }

  get(oid: number): ColumnType {
    return this.types.get(oid) ?? TEXT;
  }
}
