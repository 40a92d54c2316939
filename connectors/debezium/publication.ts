import { SourceMisconfigured } from '../../runtime/errors.ts';
import { quoteIdent, sqlState, type PgSession } from './pg-session.ts';
import type { CapturedTable } from './postgres-catalog.ts';

/** A publication as the database has it. */
export interface Publication {
  readonly oid: number;
  /** By table number: the number of its entry. A publication FOR ALL TABLES has none. */
  readonly entries: ReadonlyMap<number, number>;
  readonly allTables: boolean;
  /** Whether it publishes every kind of change. */
  readonly publishesAll: boolean;
}

/** The publication as it is; undefined when there is none. */
export async function readPublication(
  sql: PgSession,
  name: string,
  signal: AbortSignal,
): Promise<Publication | undefined> {
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
    entries: new Map(Object.entries(rels).map(([table, entry]) => [Number(table), Number(entry)])),
    allTables: row['all_tables'] === 't',
    publishesAll: row['publishes_all'] === 't',
  };
}

const WITH = `WITH (publish = 'insert, update, delete, truncate', publish_via_partition_root = true)`;

/** The SQL that makes the publication hold these tables with every kind of change; empty when it does. */
export function publicationChanges(
  name: string,
  tables: readonly CapturedTable[],
  found: Publication | undefined,
): readonly string[] {
  const publication = quoteIdent(name);
  const list = tables.map(({ sqlName }) => sqlName).join(', ');
  if (!found) return [`CREATE PUBLICATION ${publication} FOR TABLE ${list} ${WITH}`];
  const setOptions = `ALTER PUBLICATION ${publication} SET ${WITH.replace('WITH ', '')}`;
  const isSame = found.entries.size === tables.length && tables.every(({ oid }) => found.entries.has(oid));
  return [
    ...(found.publishesAll ? [] : [setOptions]),
    ...(found.allTables || isSame ? [] : [`ALTER PUBLICATION ${publication} SET TABLE ${list}`]),
  ];
}

/**
 * Brings the publication in order. It must be there before the slot is: decoding looks it up as of each change.
 * @throws SourceMisconfigured with the SQL to run when the role may not do it
 */
export async function ensurePublication(
  sql: PgSession,
  name: string,
  tables: readonly CapturedTable[],
  signal: AbortSignal,
): Promise<Publication> {
  const changes = publicationChanges(name, tables, await readPublication(sql, name, signal));
  for (const statement of changes) {
    try {
      await sql.query(statement, [], signal);
    } catch (cause) {
      if (sqlState(cause) !== '42501') throw cause;
      throw new SourceMisconfigured(
        `The role may not set the publication up. Run as the tables' owner: ${statement};`,
        {
          cause,
        },
      );
    }
  }
  const publication = await readPublication(sql, name, signal);
  if (!publication) throw new SourceMisconfigured(`Publication ${name} has gone while it was set up.`);
  return publication;
}
