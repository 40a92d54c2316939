import type pg from 'pg';
import { below, pick } from '../../load-tests/simulator/random.ts';
import { systemClock, type Random } from '../../runtime/clock.ts';
import { bodyOf, type PageChange, type PageLedger } from './page-ledger.ts';
import type { TestDatabase } from './postgres.ts';

export const SOURCE = 'wiki';
export const PAGES_TABLE = { table: 'public.pages', title: 'seq', body: 'body' };
export const PAGES = 120;
const MAX_CHANGES_PER_TRANSACTION = 4;
const ROLLED_BACK = 0.1;

/** The long bodies lie out of line, so that an update of another column does not carry them (B02). */
const SCHEMA = `
CREATE TABLE pages (id text PRIMARY KEY, seq bigint NOT NULL, revision int NOT NULL, body text NOT NULL);
ALTER TABLE pages ALTER body SET STORAGE EXTERNAL;
CREATE SEQUENCE page_seq;
CREATE SEQUENCE page_revision;`;

type Statement = (client: pg.Client, ids: readonly string[]) => Promise<PageChange[]>;

interface ChangedRow {
  readonly id: string;
  readonly seq: string;
  readonly revision: number;
}

export async function createPages(database: TestDatabase, ledger: PageLedger): Promise<void> {
  await database.sql(SCHEMA);
  const client = await database.connect();
  for (let n = 0; n < PAGES; n += 2) await transaction(client, ledger, [pageName(n)], [put]);
}

/** Writes until the signal aborts: updates, deletions, deletion and return, renames, several at a time, some rolled back. */
export async function writePages(
  database: TestDatabase,
  ledger: PageLedger,
  random: Random,
  signal: AbortSignal,
  maxPauseMs: number,
): Promise<void> {
  const client = await database.connect();
  while (!signal.aborted) {
    const ids = [...new Set(Array.from({ length: 2 + below(random, 3) }, () => pageName(below(random, PAGES))))];
    const statements = Array.from({ length: 1 + below(random, MAX_CHANGES_PER_TRANSACTION) }, () => {
      const shuffled = pick(random, [ids, ids.toReversed()]);
      const statement = pick(random, [put, put, put, touch, touch, remove, replace, rename, rename]);
      return (one: pg.Client) => statement(one, shuffled);
    });
    await transaction(client, ledger, ids, statements, random() < ROLLED_BACK);
    await systemClock.sleep(below(random, maxPauseMs), signal).catch(() => undefined);
  }
}

/** Writes one page that only this call writes. */
export async function writeMark(client: pg.Client, ledger: PageLedger, id: string): Promise<void> {
  await transaction(client, ledger, [id], [put]);
}

async function transaction(
  client: pg.Client,
  ledger: PageLedger,
  ids: readonly string[],
  statements: readonly Statement[],
  isRolledBack = false,
): Promise<void> {
  await client.query('BEGIN');
  // In one order, so that there are no deadlocks; the sequence number is taken under the locks and thus follows the commits.
  for (const id of ids.toSorted()) await client.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [id]);
  const changes: PageChange[] = [];
  for (const statement of statements) changes.push(...(await statement(client, ids)));
  if (isRolledBack) {
    await client.query('ROLLBACK');
    ledger.counts.rollbacks++;
    return;
  }
  ledger.committing(changes);
  await client.query('COMMIT');
  ledger.committed(changes);
}

const put: Statement = async (client, [id]) => {
  const { rows } = await client.query<{ revision: string }>(`SELECT nextval('page_revision') AS revision`);
  const revision = Number(rows[0]?.revision);
  return present(
    await client.query(
      `INSERT INTO pages VALUES ($1, nextval('page_seq'), $2, $3)
       ON CONFLICT (id) DO UPDATE SET seq = excluded.seq, revision = $2, body = $3 RETURNING id, seq, revision`,
      [id, revision, bodyOf(revision)],
    ),
  );
};

/** Changes a column beside the body. */
const touch: Statement = async (client, [id]) =>
  present(
    await client.query(`UPDATE pages SET seq = nextval('page_seq') WHERE id = $1 RETURNING id, seq, revision`, [id]),
  );

const remove: Statement = async (client, [id]) => {
  const { rows } = await client.query<ChangedRow>(
    `DELETE FROM pages WHERE id = $1 RETURNING id, nextval('page_seq') AS seq, revision`,
    [id],
  );
  return rows.map((row) => ({ id: row.id, seq: Number(row.seq), revision: undefined }));
};

const replace: Statement = async (client, ids) => [...(await remove(client, ids)), ...(await put(client, ids))];

const rename: Statement = async (client, [from, to]) => {
  if (from === undefined || to === undefined) return [];
  const [moved] = present(
    await client.query(
      `UPDATE pages SET id = $2, seq = nextval('page_seq')
       WHERE id = $1 AND NOT EXISTS (SELECT FROM pages WHERE id = $2) RETURNING id, seq, revision`,
      [from, to],
    ),
  );
  return moved ? [{ id: from, seq: moved.seq, revision: undefined }, moved] : [];
};

function present({ rows }: pg.QueryResult<ChangedRow>): PageChange[] {
  return rows.map(({ id, seq, revision }) => ({ id, seq: Number(seq), revision }));
}

export function pageName(n: number): string {
  return `page-${n}`;
}
