/** Which of the documents a scan looks at. */
export interface Admitted {
  /** Every open document of this tenant; none when undefined. */
  readonly openTo: string | undefined;
  /** Documents beside those, by number. */
  readonly documents: ReadonlySet<number>;
}

/** Where the codes of a document are, and who may see it. */
interface Entry {
  readonly document: number;
  readonly start: number;
  readonly count: number;
  readonly tenant: string;
  readonly isOpen: boolean;
}

/** A passage and its vector. Passage numbers are below 2^53. */
export interface NumberedVector {
  readonly passage: number;
  readonly vector: Float32Array;
}

const WORD_BITS = 32;
/** How many times as many passages as wanted the distances pick, for the inner products to choose from. */
const WIDER = 4;
const FIRST_CAPACITY = 1_024;
const GROWTH = 1.5;
/** Codes of documents that are gone are swept out when they are more than a quarter, and enough to be worth it. */
const DEAD_SHARE = 0.25;
const MIN_DEAD = 4_096;

/**
 * One bit per dimension of every vector, in memory: the sign of the component. The Hamming distance of two codes grows with the angle
 * between their vectors (Charikar 2002, "Similarity estimation techniques from rounding algorithms", with the axes of the model as
 * hyperplanes). That picks some thousands; the inner product of the whole query with the signs of a code then puts those in order, as in
 * Gao and Long 2024, RaBitQ. It is good enough to find candidates, whose vectors are then compared exactly.
 *
 * A passage of 384 dimensions takes 56 bytes, and a scan of 100,000 about 2.5 ms of one core.
 */
export class VectorCodes {
  readonly #words: number;
  #codes: Uint32Array;
  #passages: Float64Array;
  readonly #documents = new Map<number, Entry>();
  #used = 0;
  #dead = 0;

  /** @param dimensions length of every vector */
  constructor(dimensions: number) {
    this.#words = Math.ceil(dimensions / WORD_BITS);
    this.#codes = new Uint32Array(FIRST_CAPACITY * this.#words);
    this.#passages = new Float64Array(FIRST_CAPACITY);
  }

  /** Passages that have a code. */
  get size(): number {
    return this.#used - this.#dead;
  }

  /** Whether the passage of a document has a code. */
  has(document: number, passage: number): boolean {
    const { start = 0, count = 0 } = this.#documents.get(document) ?? {};
    return this.#passages.subarray(start, start + count).includes(passage);
  }

  /** Puts a document in the place of what is known of it. */
  set(
    document: number,
    { tenant, isOpen }: Pick<Entry, 'tenant' | 'isOpen'>,
    vectors: readonly NumberedVector[],
  ): void {
    this.delete(document);
    if (vectors.length === 0) return;
    this.#reserve(vectors.length);
    this.#documents.set(document, { document, start: this.#used, count: vectors.length, tenant, isOpen });
    for (const { passage, vector } of vectors) {
      this.#passages[this.#used] = passage;
      this.#encode(vector, this.#codes, this.#used * this.#words);
      this.#used++;
    }
  }

  delete(document: number): void {
    const known = this.#documents.get(document);
    if (!known) return;
    this.#documents.delete(document);
    this.#dead += known.count;
    if (this.#dead > MIN_DEAD && this.#dead > DEAD_SHARE * this.#used) this.#resize(this.#codes.length / this.#words);
  }

  /** The `count` passages whose vectors are probably nearest to a vector, or all that there are; in no order. */
  nearest(vector: Float32Array, { openTo, documents }: Admitted, count: number): readonly number[] {
    const { slots, distances, found } = this.#scan(vector, openTo, documents);
    if (found <= count) return Array.from(slots.subarray(0, found), (slot) => this.#passages[slot] ?? 0);
    const cutoff = cutoffOf(distances.subarray(0, found), this.#words * WORD_BITS, WIDER * count);
    const near: Projected[] = [];
    for (let i = 0; i < found; i++) {
      const slot = slots[i] ?? 0;
      if ((distances[i] ?? 0) <= cutoff) near.push({ slot, product: this.#project(vector, slot * this.#words) });
    }
    near.sort((a, b) => b.product - a.product);
    return near.slice(0, count).map(({ slot }) => this.#passages[slot] ?? 0);
  }

  /** Sum of the components of a vector whose bits are set: half its inner product with the signs, but for a constant. */
  #project(vector: Float32Array, from: number): number {
    let sum = 0;
    for (let word = 0; word < this.#words; word++)
      for (let left = this.#codes[from + word] ?? 0; left !== 0; left &= left - 1)
        sum += vector[word * WORD_BITS + 31 - Math.clz32(left & -left)] ?? 0;
    return sum;
  }

  /** Distances of every admitted code, and the slots that they belong to. */
  #scan(vector: Float32Array, openTo: string | undefined, documents: ReadonlySet<number>): Scan {
    const wanted = new Uint32Array(this.#words);
    this.#encode(vector, wanted, 0);
    const slots = new Uint32Array(this.size);
    const distances = new Uint16Array(this.size);
    const codes = this.#codes;
    const words = wanted.length;
    let found = 0;
    for (const { document, start, count, tenant, isOpen } of this.#documents.values()) {
      if (!(isOpen && tenant === openTo) && !documents.has(document)) continue;
      let at = start * words;
      for (let slot = start; slot < start + count; slot++, found++) {
        let distance = 0;
        for (let word = 0; word < words; word++, at++) distance += bitsOf((codes[at] ?? 0) ^ (wanted[word] ?? 0));
        slots[found] = slot;
        distances[found] = distance;
      }
    }
    return { slots, distances, found };
  }

  #encode(vector: Float32Array, into: Uint32Array, from: number): void {
    into.fill(0, from, from + this.#words);
    for (let i = 0; i < vector.length; i++)
      if ((vector[i] ?? 0) > 0) into[from + (i >>> 5)] = (into[from + (i >>> 5)] ?? 0) | (1 << (i & 31));
  }

  #reserve(count: number): void {
    const capacity = this.#passages.length;
    if (this.#used + count <= capacity) return;
    this.#resize(Math.max(this.size + count, Math.ceil(capacity * GROWTH)));
  }

  /** Moves what is alive into memory for so many codes. */
  #resize(capacity: number): void {
    const codes = new Uint32Array(capacity * this.#words);
    const passages = new Float64Array(capacity);
    let used = 0;
    for (const [document, entry] of this.#documents) {
      const { start, count } = entry;
      codes.set(this.#codes.subarray(start * this.#words, (start + count) * this.#words), used * this.#words);
      passages.set(this.#passages.subarray(start, start + count), used);
      this.#documents.set(document, { ...entry, start: used });
      used += count;
    }
    this.#codes = codes;
    this.#passages = passages;
    this.#used = used;
    this.#dead = 0;
  }
}

interface Projected {
  readonly slot: number;
  readonly product: number;
}

interface Scan {
  readonly slots: Uint32Array;
  readonly distances: Uint16Array;
  readonly found: number;
}

/** The least distance within which at least `count` lie; the largest possible one when there are fewer. */
function cutoffOf(distances: Uint16Array, largest: number, count: number): number {
  const histogram = new Uint32Array(largest + 1);
  for (const distance of distances) histogram[distance] = (histogram[distance] ?? 0) + 1;
  let within = 0;
  for (let distance = 0; distance < largest; distance++) {
    within += histogram[distance] ?? 0;
    if (within >= count) return distance;
  }
  return largest;
}

/** Bits set in 32, added up in parallel (Warren, Hacker's Delight, 5-1). */
function bitsOf(word: number): number {
  let bits = word - ((word >>> 1) & 0x55555555);
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  bits = (bits + (bits >>> 4)) & 0x0f0f0f0f;
  return Math.imul(bits, 0x01010101) >>> 24;
}
