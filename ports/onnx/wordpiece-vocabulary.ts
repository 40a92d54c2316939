const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;
/** Start of the hash of a piece inside a word, so that `##ing` and `ing` are different keys. */
const INSIDE_SEED = 0x9e3779b9;
const CONTINUING_PREFIX = '##';
/** Slots per piece: a half-empty table keeps probes short. */
const SLOTS_PER_PIECE = 2;

/**
 * The pieces of a WordPiece vocabulary in a table without strings: all pieces that begin at a place are found by one pass over the next
 * `maxPieceUnits` code units, so that a word costs at most its length times that, however it is made.
 */
export class WordPieceVocabulary {
  readonly #mask: number;
  readonly #ids: Int32Array;
  readonly #hashes: Uint32Array;
  /** Code units of all pieces, one after the other; piece `id` is `units[offsets[id]]` to `units[offsets[id + 1]]`. */
  readonly #units: Uint16Array;
  readonly #offsets: Uint32Array;
  readonly #maxPieceUnits: number;

  /** @param pieces by id; those inside a word begin with `##`. */
  constructor(pieces: readonly string[]) {
    let slots = 1;
    while (slots < pieces.length * SLOTS_PER_PIECE) slots *= 2;
    this.#mask = slots - 1;
    this.#ids = new Int32Array(slots).fill(-1);
    this.#hashes = new Uint32Array(slots);
    this.#offsets = new Uint32Array(pieces.length + 1);
    this.#units = new Uint16Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
    let longest = 1;
    let at = 0;
    for (let id = 0; id < pieces.length; id++) {
      const piece = pieces[id] ?? '';
      const inside = piece.startsWith(CONTINUING_PREFIX) && piece.length > CONTINUING_PREFIX.length;
      let hash = inside ? INSIDE_SEED : FNV_OFFSET;
      const from = inside ? CONTINUING_PREFIX.length : 0;
      for (let i = from; i < piece.length; i++) {
        const unit = piece.charCodeAt(i);
        this.#units[at++] = unit;
        hash = Math.imul(hash ^ unit, FNV_PRIME);
      }
      longest = Math.max(longest, piece.length - from);
      this.#offsets[id + 1] = at;
      this.#insert(hash >>> 0, id);
    }
    this.#maxPieceUnits = longest;
  }

  #insert(hash: number, id: number): void {
    let slot = hash & this.#mask;
    while ((this.#ids[slot] ?? -1) >= 0) slot = (slot + 1) & this.#mask;
    this.#ids[slot] = id;
    this.#hashes[slot] = hash;
  }

  /**
   * The longest piece that begins at `from` of the word `word[0 .. length)`: its id in the low 20 bits, its length in code units above
   * them; -1 when there is none.
   */
  longestAt(word: Uint16Array, from: number, length: number): number {
    let found = -1;
    let hash = from > 0 ? INSIDE_SEED : FNV_OFFSET;
    const stop = Math.min(length, from + this.#maxPieceUnits);
    for (let at = from; at < stop; at++) {
      hash = Math.imul(hash ^ (word[at] ?? 0), FNV_PRIME);
      const id = this.#find(hash >>> 0, word, from, at + 1);
      if (id >= 0) found = id | ((at + 1 - from) << PIECE_LENGTH_SHIFT);
    }
    return found;
  }

  #find(hash: number, word: Uint16Array, from: number, to: number): number {
    for (let slot = hash & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const id = this.#ids[slot] ?? -1;
      if (id < 0) return -1;
      if (this.#hashes[slot] === hash && this.#equals(id, word, from, to)) return id;
    }
  }

  #equals(id: number, word: Uint16Array, from: number, to: number): boolean {
    const start = this.#offsets[id] ?? 0;
    if ((this.#offsets[id + 1] ?? 0) - start !== to - from) return false;
    for (let i = from; i < to; i++) if (word[i] !== this.#units[start + i - from]) return false;
    return true;
  }
}

/** Where the length stands in what `longestAt` returns. */
export const PIECE_LENGTH_SHIFT = 20;
/** Where the id stands in what `longestAt` returns. */
export const PIECE_ID_MASK = (1 << PIECE_LENGTH_SHIFT) - 1;
