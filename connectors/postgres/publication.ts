import { SourceMisconfigured } from '../../runtime/errors.ts';
import type { CapturedTable } from './catalog.ts';
import { quoteIdent, sqlState, type PgSession } from './pg-connection.ts';

export interface Publication {
  readonly oid: number;
  /** By table number: the number of its entry. A publication FOR ALL TABLES has none. */
  readonly rels: ReadonlyMap<number, number>;
}

interface StoredPublication extends Publication {
  readonly allTables: boolean;
  readonly publishesAll: boolean;
}

/** The publication as it is; undefined when there is none. */
export async function readPublication(
  sql: PgSession,
  name: string,
  signal: AbortSignal,
): Promise<StoredPublication | undefined> {
  const [row] = await sql.query(
    `SELECT p.oid, p.puballtables AS all_tables,
       (p.pubinsert AND p.pubupdate AND p.pubdelete AND p.pubtruncate AND p.pubviaroot) AS publishes_all,
       (SELECT coalesce(json_object_agg(r.prrelid::text, r.oid::text), '{}') FROM pg_publication_rel r WHERE r.prpubid = p.oid) AS rels
     FROM pg_publication p WHERE p.pubname = $1`,
    [name],
    signal,
  );
  if (!row) return undefined;
  const rels = JSON.parse(row['rels'] ?? '{}') as Record<string, string>;
  return {
    oid: Number(row['oid']),
    rels: new Map(Object.entries(rels).map(([table, rel]) => [Number(table), Number(rel)])),
    allTables: row['all_tables'] === 't',
    publishesAll: row['publishes_all'] === 't',
  };
}

/**
 * Makes the publication hold exactly these tables with every kind of change. Tables that stay keep their entry, because a new entry
 * means a gap. One FOR ALL TABLES is left as it is.
 * @throws SourceMisconfigured with the SQL to run when the role may not do it
 */
export async function ensurePublication(
  sql: PgSession,
  name: string,
  tables: readonly CapturedTable[],
  signal: AbortSignal,
): Promise<Publication> {
  const found = await readPublication(sql, name, signal);
  for (const statement of publicationChanges(name, tables, found)) {
    try {
      await sql.query(statement, [], signal);
    } catch (error) {
      if (sqlState(error) !== '42501') throw error;
      throw new SourceMisconfigured(
        `The role may not set the publication up. Run as the tables' owner: ${statement};`,
        {
          cause: error,
        },
      );
    }
  }
  const made = await readPublication(sql, name, signal);
  if (!made) throw new SourceMisconfigured(`Publication ${name} was dropped while it was being set up.`);
  return made;
}

/** The statements that bring a publication to what is wanted; none when it is. */
export function publicationChanges(
  name: string,
  tables: readonly CapturedTable[],
  found: StoredPublication | undefined,
): string[] {
  const publication = quoteIdent(name);
  const list = (some: readonly CapturedTable[]): string => some.map((table) => table.sqlName).join(', ');
  if (!found)
    return [`CREATE PUBLICATION ${publication} FOR TABLE ${list(tables)} WITH (publish_via_partition_root = true)`];
  const statements: string[] = [];
  if (!found.publishesAll)
    statements.push(
      `ALTER PUBLICATION ${publication} SET (publish = 'insert, update, delete, truncate', publish_via_partition_root = true)`,
    );
  if (found.allTables) return statements;
  const wanted = new Set(tables.map(({ oid }) => oid));
  const added = tables.filter(({ oid }) => !found.rels.has(oid));
  const removed = [...found.rels.keys()].filter((oid) => !wanted.has(oid));
  if (removed.length > 0 && added.length === tables.length)
    return [...statements, `ALTER PUBLICATION ${publication} SET TABLE ${list(tables)}`];
  if (added.length > 0) statements.push(`ALTER PUBLICATION ${publication} ADD TABLE ${list(added)}`);
  for (const oid of removed) statements.push(dropTable(publication, oid));
  return statements;
}

/** By number, because the config that named the table is gone. */
function dropTable(publication: string, oid: number): string {
  const drop = `ALTER PUBLICATION ${publication} DROP TABLE `;
  return `DO $$ BEGIN EXECUTE ${literal(drop)} || ${oid}::regclass; END $$`;
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
