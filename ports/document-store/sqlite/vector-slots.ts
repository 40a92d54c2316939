import { StorageFailed } from '../../../runtime/errors.ts';
import { vectorScanBinary } from './vector-scan-binary.ts';

/** Slots from `start` up to and without `end`, of those only the ones of an audience. */
export interface Run {
  readonly start: number;
  readonly end: number;
  /** ANYBODY, or what `put` was given. */
  readonly audience: number;
}

/** Runs of this audience hold every slot; they must not hold a hidden one. Also the audience of slots that only such runs find. */
export const ANYBODY = 0;

/** What a scan has picked: numbers of passages, and the product of each with the query, larger for a nearer one. */
export interface Picked {
  readonly passages: Float64Array;
  readonly products: Float32Array;
}

/** A passage and its vector. Passage numbers are below 2^53. */
export interface NumberedVector {
  readonly passage: number;
  readonly vector: Float32Array;
}

/** What is used of WebAssembly, which neither the language's library nor Node's types declare. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
};

/** vector-scan.wat says what each does. Places are in bytes from the start of the memory. */
interface Scan {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  encode(vector: number, width: number, code: number, bytes: number): number;
  distances(block: number, slot: number, end: number, audience: number, width: number): number;
  products(block: number, slot: number, end: number, audience: number, width: number, within: number): number;
}

const compiled = new WebAssembly.Module(Buffer.from(vectorScanBinary, 'base64'));

const PAGE_BYTES = 65_536;
const WIDTH_STEP = 64;
/** Slots of a block, and places in the head and in a block, as vector-scan.wat has them. */
const BLOCK = 1_024;
const HIT_PRODUCTS = 4_096;
const VECTOR = 8_192;
const AUDIENCES = 8_192;
const SCALES = 12_288;
const CODES = 18_432;
const LARGEST_I8 = 127;
const LARGEST_I16 = 32_767;
const LARGEST_I32 = 2_147_483_647;

/**
 * Numbered places for vectors in the memory of a WebAssembly module, each with two estimates of its vector: one bit for each dimension, the
 * sign of the component, and the component as one byte, scaled so that the largest of the vector is 127. With a number for its passage
 * these are 9/8 of a byte for each dimension (rounded up to 64) and 18.
 *
 * The memory grows by blocks, in place: nothing is copied, and nothing is given back. Views of it live as long as it does not grow.
 */
export class VectorSlots {
  readonly #dimensions: number;
  readonly #width: number;
  readonly #blockBytes: number;
  readonly #query: { readonly components: number; readonly code: number; readonly histogram: number };
  readonly #blocks: number;
  readonly #scan: Scan;
  /** Views of the whole memory. */
  #bytes = new Uint8Array();
  #words = new Uint32Array();
  #floats = new Float32Array();
  #doubles = new Float64Array();
  #capacity = 0;

  /** @param dimensions length of every vector */
  constructor(dimensions: number) {
    this.#dimensions = dimensions;
    const width = Math.ceil(dimensions / WIDTH_STEP) * WIDTH_STEP;
    this.#width = width;
    this.#blockBytes = CODES + BLOCK * (width + width / 8);
    const components = VECTOR + 4 * width;
    const code = components + 2 * width;
    const histogram = code + width / 8;
    this.#query = { components, code, histogram };
    this.#blocks = Math.ceil((histogram + 4 * (width + 1)) / WIDTH_STEP) * WIDTH_STEP;
    this.#scan = new WebAssembly.Instance(compiled).exports as Scan;
    this.reserve(1);
  }

  /** Makes room for so many slots. @throws StorageFailed when the process gets no more memory. */
  reserve(slots: number): void {
    if (slots <= this.#capacity) return;
    const blocks = Math.ceil(slots / BLOCK);
    const missing = this.#blocks + blocks * this.#blockBytes - this.#scan.memory.buffer.byteLength;
    try {
      if (missing > 0) this.#scan.memory.grow(Math.ceil(missing / PAGE_BYTES));
    } catch (cause) {
      throw new StorageFailed(
        `no memory for ${slots} vectors of ${this.#dimensions} dimensions, which take ${blocks * this.#blockBytes} bytes of at most 4 GiB; ` +
          'give the process more, or keep so large an index in Elasticsearch (profile: cluster)',
        { cause },
      );
    }
    this.#capacity = blocks * BLOCK;
    const { buffer } = this.#scan.memory;
    this.#bytes = new Uint8Array(buffer);
    this.#words = new Uint32Array(buffer, 0, buffer.byteLength >>> 2);
    this.#floats = new Float32Array(buffer, 0, buffer.byteLength >>> 2);
    this.#doubles = new Float64Array(buffer, 0, buffer.byteLength >>> 3);
  }

  /** Number of the passage in a slot. */
  passage(slot: number): number {
    return this.#doubles[this.#blockOf(slot) / 8 + (slot % BLOCK)] ?? 0;
  }

  /** Fills a slot for which there is room. */
  put(slot: number, audience: number, { passage, vector }: NumberedVector): void {
    const block = this.#blockOf(slot);
    const at = slot % BLOCK;
    const code = block + CODES + (at * this.#width) / 8;
    const components = block + CODES + (BLOCK * this.#width) / 8 + at * this.#width;
    this.#floats.set(vector, VECTOR / 4);
    const scale = this.#scan.encode(VECTOR, this.#width, code, components);
    this.#doubles[block / 8 + at] = passage;
    this.#words[(block + AUDIENCES) / 4 + at] = audience;
    this.#floats[(block + SCALES) / 4 + at] = scale;
  }

  /** Only runs of ANYBODY find these slots from now on. */
  hide(start: number, end: number): void {
    this.#each({ start, end }, (block, from, to) => {
      this.#words.fill(ANYBODY, (block + AUDIENCES) / 4 + from, (block + AUDIENCES) / 4 + to);
    });
  }

  /** Moves what is in `count` slots to slots before them; what was there is gone. */
  move(from: number, to: number, count: number): void {
    for (let moved = 0; moved < count;) {
      const [source, target] = [from + moved, to + moved];
      const piece = Math.min(count - moved, BLOCK - (source % BLOCK), BLOCK - (target % BLOCK));
      for (const { at, bytes } of this.#columns()) {
        const start = this.#blockOf(source) + at + (source % BLOCK) * bytes;
        this.#bytes.copyWithin(this.#blockOf(target) + at + (target % BLOCK) * bytes, start, start + piece * bytes);
      }
      moved += piece;
    }
  }

  /**
   * What of some runs is nearest to a vector by two estimates: at least `wide` slots by distance (all of one distance, or none), with the
   * product of their components. Every slot is in one of the runs at most.
   */
  pick(vector: Float32Array, runs: readonly Run[], wide: number): Picked {
    this.#ask(vector);
    const scan = this.#scan;
    const width = this.#width;
    for (const run of runs)
      this.#each(run, (block, from, to) => void scan.distances(block, from, to, run.audience, width));
    const { within, count } = this.#within(wide);
    const picked = { passages: new Float64Array(count), products: new Float32Array(count) };
    let taken = 0;
    for (const run of runs)
      this.#each(run, (block, from, to) => {
        const hits = scan.products(block, from, to, run.audience, width, within);
        this.#take(block, hits, picked, taken);
        taken += hits;
      });
    return picked;
  }

  /** Writes the query to the head: its code, and its components in 16 bits, or as many as leave the largest sum within 32. */
  #ask(vector: Float32Array): void {
    const { components, code, histogram } = this.#query;
    this.#floats.set(vector, VECTOR / 4);
    // The bytes that this makes, too, are not wanted: they lie where the distances are counted.
    this.#scan.encode(VECTOR, this.#width, code, histogram);
    this.#words.fill(0, histogram / 4, histogram / 4 + this.#width + 1);
    const largest = vector.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const factor = Math.min(LARGEST_I16, Math.floor(LARGEST_I32 / (LARGEST_I8 * this.#width))) / largest;
    new Int16Array(this.#scan.memory.buffer, components, vector.length).set(vector.map((value) => value * factor));
  }

  /** The least distance within which at least `wide` lie, the largest possible one when there are fewer; and how many that are. */
  #within(wide: number): { readonly within: number; readonly count: number } {
    const { histogram } = this.#query;
    let count = 0;
    let within = 0;
    for (; within <= this.#width && count < wide; within++) count += this.#words[histogram / 4 + within] ?? 0;
    return { within: within - 1, count };
  }

  #take(block: number, hits: number, { passages, products }: Picked, at: number): void {
    for (let hit = 0; hit < hits; hit++) {
      passages[at + hit] = this.#doubles[block / 8 + (this.#words[hit] ?? 0)] ?? 0;
      products[at + hit] = this.#floats[HIT_PRODUCTS / 4 + hit] ?? 0;
    }
  }

  /** Where the parts of slots lie in a block, and the size of each, bytes. */
  #columns(): readonly { readonly at: number; readonly bytes: number }[] {
    const codeBytes = this.#width / 8;
    return [
      { at: 0, bytes: 8 },
      { at: AUDIENCES, bytes: 4 },
      { at: SCALES, bytes: 4 },
      { at: CODES, bytes: codeBytes },
      { at: CODES + BLOCK * codeBytes, bytes: this.#width },
    ];
  }

  /** Goes through slots by block: where it begins, and the first and the one past the last within it. */
  #each({ start, end }: Omit<Run, 'audience'>, visit: (block: number, from: number, to: number) => void): void {
    for (let slot = start; slot < end;) {
      const from = slot % BLOCK;
      const to = Math.min(BLOCK, from + end - slot);
      visit(this.#blockOf(slot), from, to);
      slot += to - from;
    }
  }

  #blockOf(slot: number): number {
    return this.#blocks + Math.floor(slot / BLOCK) * this.#blockBytes;
  }
}
