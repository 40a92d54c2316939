import type { Sqlite } from '../../sqlite.ts';
import type { StoreQuery } from '../document-store.ts';
import { matchExpression } from './match-expression.ts';
import { PreparedStatements } from './prepared-statements.ts';
import type { Ranked } from './ranked.ts';
import { ORDINAL_BITS } from './schema.ts';
import { scopeCondition } from './scope-conditions.ts';

/** Weights of BM25: a word of the title or of a heading says more about a passage than one of its text. */
const TITLE_WEIGHT = 2;
const HEADINGS_WEIGHT = 1.5;
const TEXT_WEIGHT = 1;

/** The passages that hold the words of a question. Tenant, ACL and filter are part of the statement: nothing outside is ranked (I10). */
export class LexicalLeg {
  readonly #statements: PreparedStatements<Ranked>;

  constructor(db: Sqlite) {
    this.#statements = new PreparedStatements(db);
  }

  /** Best first. */
  search(scope: StoreQuery['scope'], { text, depth }: { readonly text: string; readonly depth: number }): Ranked[] {
    const match = matchExpression(text);
    if (match === undefined) return [];
    const condition = scopeCondition(scope);
    const statement = this.#statements.prepare(
      `SELECT w.rowid AS passage, -bm25(words, ${TITLE_WEIGHT}, ${HEADINGS_WEIGHT}, ${TEXT_WEIGHT}) AS score
       FROM words w CROSS JOIN documents d ON d.number = w.rowid >> ${ORDINAL_BITS}
       WHERE words MATCH ? AND ${condition.sql} ORDER BY score DESC, passage LIMIT ?`,
    );
    return statement.all(match, ...condition.values, depth);
  }
}
