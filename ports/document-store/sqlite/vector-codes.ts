import { ANYBODY, VectorSlots, type NumberedVector, type Picked, type Run } from './vector-slots.ts';

/** Which of the documents a scan looks at. */
export interface Admitted {
  /** Every open document of this tenant; none when undefined. */
  readonly openTo: string | undefined;
  /** Documents beside those, by number. */
  readonly documents: ReadonlySet<number>;
}

/** Who may see a document. */
export interface Audience {
  readonly tenant: string;
  readonly isOpen: boolean;
}

/** Where the codes of a document are, and the number of those whom it is open to. */
interface Entry {
  readonly start: number;
  readonly count: number;
  readonly audience: number;
}

/**
 * How many passages the distances pick, for the products to choose from, at least and for each that is wanted: of 34,000 real passages
 * 3,200 hold 99.6 % of the fifty nearest to a query, 1,600 only 98.5 % (docs/adr/0018-codes-in-memory.md).
 */
const MIN_WIDE = 3_200;
const WIDER = 16;
/** Codes of documents that are gone are swept out when they are more than a quarter, and enough to be worth it. */
const DEAD_SHARE = 0.25;
const MIN_DEAD = 4_096;

/**
 * Two estimates of every vector, in memory. One bit per dimension, the sign of the component: the Hamming distance of two codes grows with
 * the angle between their vectors (Charikar 2002, "Similarity estimation techniques from rounding algorithms", with the axes of the model
 * as hyperplanes). That picks some thousands; the product of the query with the components in 8 bits then puts those in order, nearly as the
 * vectors themselves would. Both run in WebAssembly.
 *
 * A passage of 384 dimensions takes 450 bytes.
 */
export class VectorCodes {
  readonly #slots: VectorSlots;
  /** In the order of their slots. */
  readonly #documents = new Map<number, Entry>();
  /** A number for each tenant that has had an open document. */
  readonly #audiences = new Map<string, number>();
  #used = 0;
  #dead = 0;

  /** @param dimensions length of every vector */
  constructor(dimensions: number) {
    this.#slots = new VectorSlots(dimensions);
  }

  /** Passages that have a code. */
  get size(): number {
    return this.#used - this.#dead;
  }

  /** Places that passages take or have taken since the last sweep. */
  get places(): number {
    return this.#used;
  }

  /** Whether the passage of a document has a code. */
  has(document: number, passage: number): boolean {
    const { start = 0, count = 0 } = this.#documents.get(document) ?? {};
    for (let slot = start; slot < start + count; slot++) if (this.#slots.passage(slot) === passage) return true;
    return false;
  }

  /** Puts a document in the place of what is known of it. @throws StorageFailed without memory for it; it is then unknown. */
  set(document: number, whose: Audience, vectors: readonly NumberedVector[]): void {
    this.delete(document);
    if (vectors.length === 0) return;
    this.#slots.reserve(this.#used + vectors.length);
    const audience = whose.isOpen ? this.#audienceOf(whose.tenant) : ANYBODY;
    this.#documents.set(document, { start: this.#used, count: vectors.length, audience });
    for (const vector of vectors) this.#slots.put(this.#used++, audience, vector);
  }

  delete(document: number): void {
    const known = this.#documents.get(document);
    if (!known) return;
    this.#documents.delete(document);
    this.#slots.hide(known.start, known.start + known.count);
    this.#dead += known.count;
    if (this.#dead > MIN_DEAD && this.#dead > DEAD_SHARE * this.#used) this.#sweep();
  }

  /** The `count` passages whose vectors are probably nearest to a vector, or all that there are; in no order. */
  nearest(vector: Float32Array, admitted: Admitted, count: number): readonly number[] {
    const picked = this.#slots.pick(vector, this.#runs(admitted), Math.max(MIN_WIDE, WIDER * count));
    return best(picked, count);
  }

  /** The open documents of the tenant are found by their number, wherever they are; the others are looked up. */
  #runs({ openTo, documents }: Admitted): readonly Run[] {
    const runs: Run[] = [];
    const audience = openTo === undefined ? undefined : this.#audiences.get(openTo);
    if (audience !== undefined) runs.push({ start: 0, end: this.#used, audience });
    let last: { start: number; end: number; readonly audience: number } | undefined;
    for (const document of documents) {
      const entry = this.#documents.get(document);
      if (!entry || entry.audience === audience) continue;
      const end = entry.start + entry.count;
      if (last?.end === entry.start) last.end = end;
      else runs.push((last = { start: entry.start, end, audience: ANYBODY }));
    }
    return runs;
  }

  #audienceOf(tenant: string): number {
    const audience = this.#audiences.get(tenant) ?? this.#audiences.size + 1;
    this.#audiences.set(tenant, audience);
    return audience;
  }

  /** Moves what is alive to the front. */
  #sweep(): void {
    let used = 0;
    for (const [document, entry] of this.#documents) {
      if (entry.start !== used) {
        this.#slots.move(entry.start, used, entry.count);
        this.#documents.set(document, { ...entry, start: used });
      }
      used += entry.count;
    }
    this.#used = used;
    this.#dead = 0;
  }
}

/** Those with the largest products. Of equal ones at the end it takes the first. */
function best({ passages, products }: Picked, count: number): readonly number[] {
  if (passages.length <= count) return [...passages];
  const least = largest(products.slice(), count);
  const found: number[] = [];
  const equal: number[] = [];
  for (let i = 0; i < products.length; i++) {
    const product = products[i] ?? 0;
    if (product > least) found.push(passages[i] ?? 0);
    else if (product === least) equal.push(passages[i] ?? 0);
  }
  return [...found, ...equal.slice(0, count - found.length)];
}

/** The `rank`-th largest value, by Hoare's quickselect (1961, Algorithm 65: FIND); reorders the values. Sorting takes ten times as long. */
function largest(values: Float32Array, rank: number): number {
  const target = rank - 1;
  let [low, high] = [0, values.length - 1];
  while (low < high) {
    const pivot = values[(low + high) >>> 1] ?? 0;
    let [left, right] = [low, high];
    while (left <= right) {
      while ((values[left] ?? 0) > pivot) left++;
      while ((values[right] ?? 0) < pivot) right--;
      if (left > right) break;
      const value = values[left] ?? 0;
      values[left++] = values[right] ?? 0;
      values[right--] = value;
    }
    if (target <= right) high = right;
    else if (target >= left) low = left;
    else break;
  }
  return values[target] ?? 0;
}
