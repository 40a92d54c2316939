import type { Sqlite, Statement } from '../../sqlite.ts';
import type { StoreQuery } from '../document-store.ts';
import { matchExpression } from './match-expression.ts';
import { ORDINAL_BITS } from './schema.ts';
import { scopeCondition } from './scope-conditions.ts';

/** A passage and how good it is; a higher score is better, within one leg. */
export interface Ranked {
  readonly passage: bigint;
  readonly score: number;
}

/** Weights of BM25: a word of the title or of a heading says more about a passage than one of its text. */
const TITLE_WEIGHT = 2;
const HEADINGS_WEIGHT = 1.5;
const TEXT_WEIGHT = 1;

/** Statements depend on the shape of scope and filter; so many shapes stay prepared. */
const MAX_STATEMENTS = 64;

interface RankedRow {
  readonly passage: bigint;
  readonly score: number;
}

/** The two legs. Tenant, ACL and filter are part of each statement, so that nothing outside the scope is ever ranked (I10). */
export class SearchLegs {
  readonly #db: Sqlite;
  readonly #statements = new Map<string, Statement<RankedRow>>();

  constructor(db: Sqlite) {
    this.#db = db;
  }

  lexical(scope: StoreQuery['scope'], { text, depth }: { readonly text: string; readonly depth: number }): Ranked[] {
    const match = matchExpression(text);
    if (match === undefined) return [];
    const condition = scopeCondition(scope);
    const statement = this.#prepared(
      `SELECT w.rowid AS passage, -bm25(words, ${TITLE_WEIGHT}, ${HEADINGS_WEIGHT}, ${TEXT_WEIGHT}) AS score
       FROM words w CROSS JOIN documents d ON d.number = w.rowid >> ${ORDINAL_BITS}
       WHERE words MATCH ? AND ${condition.sql} ORDER BY score DESC, passage LIMIT ?`,
    );
    return statement.all(match, ...condition.values, depth);
  }

  dense(
    scope: StoreQuery['scope'],
    { vector, depth }: { readonly vector: Float32Array; readonly depth: number },
  ): Ranked[] {
    const condition = scopeCondition(scope);
    const bytes = new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength);
    // Documents first: the conditions are looked at once per document, and the vectors then lie in the order of the scan.
    const statement = this.#prepared(
      `SELECT v.number AS passage, 1 - vec_distance_cosine(v.vector, ?) AS score
       FROM documents d CROSS JOIN vectors v
         ON v.number BETWEEN d.number << ${ORDINAL_BITS} AND (d.number << ${ORDINAL_BITS}) + d.passages - 1
       WHERE ${condition.sql} ORDER BY score DESC, passage LIMIT ?`,
    );
    return statement.all(bytes, ...condition.values, depth);
  }

  #prepared(sql: string): Statement<RankedRow> {
    const known = this.#statements.get(sql);
    if (known) return known;
    const [oldest] = this.#statements.keys();
    if (oldest !== undefined && this.#statements.size >= MAX_STATEMENTS) this.#statements.delete(oldest);
    const statement = this.#db.prepare<RankedRow>(sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}
