import { EmbeddingInvalid } from '../../../runtime/errors.ts';
import type { Sqlite } from '../../sqlite.ts';
import type { Fusion, Hit, StoreQuery, StoreReply } from '../document-store.ts';
import { fuse } from '../fuse.ts';
import { DenseLeg } from './dense-leg.ts';
import { LexicalLeg } from './lexical-leg.ts';
import type { Ranked } from './ranked.ts';
import { DocumentReads } from './read-documents.ts';

/** Searches over one connection, both legs of each on one state of the file. */
export class SearchSession {
  readonly #db: Sqlite;
  readonly #dimensions: number;
  readonly #lexical: LexicalLeg;
  readonly #dense: DenseLeg;
  readonly #reads: DocumentReads;

  constructor(db: Sqlite, dimensions: number) {
    this.#db = db;
    this.#dimensions = dimensions;
    this.#lexical = new LexicalLeg(db);
    this.#dense = new DenseLeg(db, dimensions);
    this.#reads = new DocumentReads(db);
  }

  /** @throws EmbeddingInvalid for a vector of another length. */
  search({ scope, lexical, dense }: StoreQuery): StoreReply {
    this.#check(dense);
    return this.#db.snapshot(() => ({
      lexical: this.#hits(lexical ? this.#lexical.search(scope, lexical) : []),
      dense: this.#hits(dense ? this.#dense.search(scope, dense) : []),
    }));
  }

  /** Fuses what is known of a hit without reading it, and reads what is left. @throws EmbeddingInvalid for a vector of another length. */
  best({ scope, lexical, dense }: StoreQuery, fusion: Fusion): readonly Hit[] {
    this.#check(dense);
    return this.#db.snapshot(() => {
      const near = dense ? this.#dense.search(scope, dense).map((hit) => ({ ...hit, hasVector: true })) : [];
      const worded = (lexical ? this.#lexical.search(scope, lexical) : []).map((hit) => ({
        ...hit,
        hasVector: near.length > 0 && this.#dense.has(hit.passage),
      }));
      const idOf = ({ passage }: Ranked): string => this.#reads.hit(passage, 0)?.passage.id ?? '';
      const fused = fuse({ lexical: worded, dense: near }, fusion, { keyOf: ({ passage }) => passage, idOf });
      return this.#hits(fused);
    });
  }

  #check(dense: StoreQuery['dense']): void {
    if (!dense || dense.vector.length === this.#dimensions) return;
    throw new EmbeddingInvalid(
      `the vector of the query has ${dense.vector.length} dimensions, not ${this.#dimensions}`,
    );
  }

  /** Reads what has changed since the last search, so that the next one has less to do. */
  follow(): void {
    this.#db.snapshot(() => this.#dense.follow());
  }

  #hits(ranked: readonly Ranked[]): Hit[] {
    return ranked.flatMap(({ passage, score }) => this.#reads.hit(passage, score) ?? []);
  }
}
