import pg from 'pg';
import { NotFound, SourceUnavailable } from '../../runtime/errors.ts';

/** A row of the table that visitors of the demo may change. */
export interface ShopRow {
  readonly id: number;
  readonly title: string;
  readonly body: string;
}

/** A change as it was committed. */
export interface Committed<T> {
  readonly value: T;
  /** The statement that ran, with its placeholders. */
  readonly sql: string;
  /** LSN after the commit: whoever has passed it has seen the change. */
  readonly position: string;
}

/** The help pages of a shop that does not exist: short, so that a changed word is seen in the answer. */
export const FIRST_ROWS: readonly Omit<ShopRow, 'id'>[] = [
  {
    title: 'Returns',
    body: 'You can return a bicycle within 30 days after delivery. The refund arrives five days after the return.',
  },
  { title: 'Opening hours', body: 'The bicycle shop is open from 9:00 to 18:00 on weekdays. It is closed on Sunday.' },
  {
    title: 'Delivery',
    body: 'Delivery takes three working days and costs 19 euros. Orders above 900 euros are delivered free of charge.',
  },
  {
    title: 'Warranty',
    body: 'The warranty on the frame lasts five years, the warranty on the brakes one year.',
  },
];

const CREATE = `
  create schema if not exists shop;
  create table shop.articles (id int generated always as identity primary key, title text not null, body text not null)`;
const COLUMNS = 'id, title, body';
const INSERT = `insert into shop.articles (title, body) values ($1, $2) returning ${COLUMNS}`;
const UPDATE = `update shop.articles set title = $2, body = $3 where id = $1 returning ${COLUMNS}`;
const DELETE = `delete from shop.articles where id = $1 returning ${COLUMNS}`;

/** Visitors are few; a second connection lets the list be read while a change commits. */
const CONNECTIONS = 2;

/**
 * The table `shop.articles` of the demo's own database, changed by plain SQL as any program would: the index hears of it from the
 * write-ahead log and from nowhere else. What visitors changed stays for the next start.
 */
export class ShopTable implements AsyncDisposable {
  readonly #pool: pg.Pool;

  /** Opens the table, and makes it with a few rows when it is not there yet. */
  static async open(url: string): Promise<ShopTable> {
    const table = new ShopTable(url);
    const [found] = await table.#rows<{ name: string | null }>(`select to_regclass('shop.articles') as name`);
    if (found?.name == null) {
      await table.#rows(CREATE);
      for (const { title, body } of FIRST_ROWS) await table.insert(title, body);
    }
    return table;
  }

  private constructor(url: string) {
    this.#pool = new pg.Pool({ connectionString: url, max: CONNECTIONS, application_name: 'freshet-demo' });
    this.#pool.on('error', () => undefined); // an idle connection was cut; the next statement opens another
  }

  /** In the order of their keys. @throws SourceUnavailable */
  list(): Promise<readonly ShopRow[]> {
    return this.#rows<ShopRow>(`select ${COLUMNS} from shop.articles order by id`);
  }

  /** @throws SourceUnavailable */
  insert(title: string, body: string): Promise<Committed<ShopRow>> {
    return this.#commit(INSERT, [title, body]);
  }

  /** @throws NotFound, SourceUnavailable */
  update(id: number, title: string, body: string): Promise<Committed<ShopRow>> {
    return this.#commit(UPDATE, [id, title, body]);
  }

  /** @throws NotFound, SourceUnavailable */
  delete(id: number): Promise<Committed<ShopRow>> {
    return this.#commit(DELETE, [id]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool.end();
  }

  /** Runs one statement in a transaction of its own; it is durable when this resolves. */
  async #commit(sql: string, values: readonly unknown[]): Promise<Committed<ShopRow>> {
    const [value] = await this.#rows<ShopRow>(sql, values);
    if (!value) throw new NotFound('This row is not in the table any more; somebody has deleted it.');
    const [at] = await this.#rows<{ position: string }>('select pg_current_wal_insert_lsn()::text as position');
    return { value, sql: sql.replace(/ returning .*$/, ''), position: at?.position ?? '0/0' };
  }

  async #rows<T extends pg.QueryResultRow>(sql: string, values: readonly unknown[] = []): Promise<T[]> {
    try {
      return (await this.#pool.query<T>(sql, [...values])).rows;
    } catch (cause) {
      throw new SourceUnavailable('The database of the demo does not answer; stop the demo and start it again.', {
        cause,
      });
    }
  }
}
