const SLOTS = 1 << 16;
const MASK = SLOTS - 1;
/** A half-empty table keeps probes short; when it is full, it begins anew. */
const MAX_WORDS = SLOTS / 2;
const MAX_WORD_UNITS = 24;
const MAX_UNITS = MAX_WORDS * 10;
const MAX_PIECES = MAX_WORDS * 4;

/**
 * Pieces of the words seen last, in typed arrays: no string is made to look a word up. Bounded to 32,768 words (about 3 MB); what does
 * not fit is matched again.
 */
export class WordCache {
  /** Ids of the pieces of all words. */
  readonly ids = new Uint32Array(MAX_PIECES);
  /** Where in its word each piece begins, code units. */
  readonly starts = new Uint8Array(MAX_PIECES);
  readonly #slots = new Int32Array(SLOTS).fill(-1);
  readonly #hashes = new Uint32Array(MAX_WORDS);
  readonly #units = new Uint16Array(MAX_UNITS);
  /** Word `i` is `units[unitOffsets[i]]` to `units[unitOffsets[i + 1]]`; its pieces likewise. */
  readonly #unitOffsets = new Uint32Array(MAX_WORDS + 1);
  readonly #pieceOffsets = new Uint32Array(MAX_WORDS + 1);
  #words = 0;

  /** The entry of `word[0 .. length)`, -1 when it is not here. */
  find(hash: number, word: Uint16Array, length: number): number {
    for (let slot = hash & MASK; ; slot = (slot + 1) & MASK) {
      const entry = this.#slots[slot] ?? -1;
      if (entry < 0) return -1;
      if (this.#hashes[entry] === hash && this.#equals(entry, word, length)) return entry;
    }
  }

  #equals(entry: number, word: Uint16Array, length: number): boolean {
    const offset = this.#unitOffsets[entry] ?? 0;
    if ((this.#unitOffsets[entry + 1] ?? 0) - offset !== length) return false;
    for (let i = 0; i < length; i++) if (this.#units[offset + i] !== word[i]) return false;
    return true;
  }

  /** Number of pieces of an entry. */
  pieces(entry: number): number {
    return (this.#pieceOffsets[entry + 1] ?? 0) - (this.#pieceOffsets[entry] ?? 0);
  }

  /** Index of its first piece in `ids` and `starts`. */
  firstPiece(entry: number): number {
    return this.#pieceOffsets[entry] ?? 0;
  }

  /** Remembers a word and returns its entry; -1 when it is too long to be worth it. */
  add(hash: number, word: Uint16Array, length: number, ids: Uint32Array, starts: Uint8Array, pieces: number): number {
    if (length > MAX_WORD_UNITS) return -1;
    let unit = this.#unitOffsets[this.#words] ?? 0;
    let piece = this.#pieceOffsets[this.#words] ?? 0;
    if (this.#words === MAX_WORDS || unit + length > MAX_UNITS || piece + pieces > MAX_PIECES) {
      this.#slots.fill(-1);
      this.#words = 0;
      unit = 0;
      piece = 0;
    }
    const entry = this.#words++;
    for (let i = 0; i < length; i++) this.#units[unit + i] = word[i] ?? 0;
    for (let i = 0; i < pieces; i++) {
      this.ids[piece + i] = ids[i] ?? 0;
      this.starts[piece + i] = starts[i] ?? 0;
    }
    this.#hashes[entry] = hash;
    this.#unitOffsets[entry + 1] = unit + length;
    this.#pieceOffsets[entry + 1] = piece + pieces;
    let slot = hash & MASK;
    while ((this.#slots[slot] ?? -1) >= 0) slot = (slot + 1) & MASK;
    this.#slots[slot] = entry;
    return entry;
  }
}
