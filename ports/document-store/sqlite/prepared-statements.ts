import type { Sqlite, Statement } from '../../sqlite.ts';

/** Statements depend on the shape of scope and filter; so many shapes stay prepared. */
const MAX_STATEMENTS = 64;

/** The newest statements by their text. */
export class PreparedStatements<Row extends object> {
  readonly #db: Sqlite;
  readonly #statements = new Map<string, Statement<Row>>();

  constructor(db: Sqlite) {
    this.#db = db;
  }

  prepare(sql: string): Statement<Row> {
    const known = this.#statements.get(sql);
    if (known) return known;
    const [oldest] = this.#statements.keys();
    if (oldest !== undefined && this.#statements.size >= MAX_STATEMENTS) this.#statements.delete(oldest);
    const statement = this.#db.prepare<Row>(sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}
