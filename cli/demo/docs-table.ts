import pg from 'pg';
import type { Page } from './package-pages.ts';

/** The source of the demo that holds the documentation. */
export const PAGES = { source: 'docs', table: 'docs.pages' } as const;

/** What a load changed in the table. */
export interface LoadOutcome {
  readonly pages: number;
  readonly changed: number;
  readonly deleted: number;
  /** LSN after the last commit: the index has everything once it has passed it. */
  readonly position: string;
}

const CREATE = `
  create schema if not exists docs;
  create table if not exists docs.pages (
    package text, path text, title text not null, body text not null, version text not null,
    primary key (package, path)
  )`;

const UPSERT = `
  insert into docs.pages (package, path, title, body, version) values ($1, $2, $3, $4, $5)
  on conflict (package, path) do update set title = excluded.title, body = excluded.body, version = excluded.version
  where (docs.pages.title, docs.pages.body, docs.pages.version)
    is distinct from (excluded.title, excluded.body, excluded.version)`;

/** Rows per transaction: the pipeline sees the first ones while the rest is still being read. */
const ROWS_PER_TRANSACTION = 50;

/**
 * Brings `docs.pages` to what is given: inserts and updates what differs, deletes what is gone, touches nothing else. `onPage` hears of
 * every page that was compared.
 */
export async function loadPages(
  url: string,
  pages: AsyncIterable<Page>,
  onPage: (page: Page) => void,
  signal: AbortSignal,
): Promise<LoadOutcome> {
  const client = new pg.Client({ connectionString: url, application_name: 'freshet-demo' });
  await client.connect();
  try {
    await client.query(CREATE);
    const seen: string[] = [];
    let changed = 0;
    await client.query('begin');
    for await (const page of pages) {
      signal.throwIfAborted();
      const { rowCount } = await client.query(UPSERT, [page.package, page.path, page.title, page.body, page.version]);
      changed += rowCount ?? 0;
      seen.push(`${page.package}/${page.path}`);
      onPage(page);
      if (seen.length % ROWS_PER_TRANSACTION === 0) await client.query('commit; begin');
    }
    const gone = await client.query(`delete from docs.pages where package || '/' || path <> all ($1)`, [seen]);
    await client.query('commit');
    const { rows } = await client.query<{ position: string }>('select pg_current_wal_insert_lsn()::text as position');
    const position = rows[0]?.position ?? '0/0';
    return { position, pages: seen.length, changed, deleted: gone.rowCount ?? 0 };
  } finally {
    await client.end();
  }
}
