import type { Tokenizer } from '../embedder/embedder.ts';
import { CharacterKind, characterKinds, normalizeCharacter } from './bert-characters.ts';
import { CodeUnits } from './code-units.ts';
import { PIECE_ID_MASK, PIECE_LENGTH_SHIFT, WordPieceVocabulary } from './wordpiece-vocabulary.ts';
import { WordCache } from './wordpiece-cache.ts';

/** What is read of a `tokenizer.json`. */
export interface WordPieceFile {
  readonly model: {
    readonly type: string;
    readonly unk_token: string;
    readonly max_input_chars_per_word: number;
    readonly vocab: { readonly [piece: string]: number };
  };
}

/** A tokenizer that also says which tokens they are. */
export interface EncodingTokenizer extends Tokenizer {
  /** Ids of the first `limit` tokens, without special tokens. */
  encode(text: string, limit?: number): Uint32Array;
}

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;
const ASCII_A = 65;
const ASCII_Z = 90;

/** What a pass over a text collects. */
const COUNT = 0;
const STARTS = 1;
const IDS = 2;

/**
 * BERT's uncased WordPiece tokenizer: clean, lower-case, strip accents, split at white space, punctuation and CJK ideographs, then the
 * longest pieces of the vocabulary from the left. Gives the tokens of the reference implementation, with two differences: names of
 * special tokens inside a text (`[SEP]`) are plain words, because a document must not speak to the model; and offsets are known.
 * Linear in the text: a word of any make costs at most its length times the longest piece.
 */
export class WordPieceTokenizer implements EncodingTokenizer {
  readonly #vocabulary: WordPieceVocabulary;
  readonly #cache = new WordCache();
  readonly #kinds = characterKinds();
  readonly #codeUnits = new CodeUnits();
  readonly #unknown: number;
  readonly #maxWordChars: number;
  /** The word that is being read, normalised, and where each of its code units comes from. */
  readonly #word: Uint16Array;
  readonly #origins: Uint32Array;
  #length = 0;
  #chars = 0;
  /** Pieces of the last word: ids and the code unit of the word at which each begins. */
  readonly #pieceIds: Uint32Array;
  readonly #pieceStarts: Uint8Array;
  /** Output of the pass that runs. */
  #out = new Uint32Array(1024);
  #count = 0;

  constructor(file: WordPieceFile) {
    const { vocab, unk_token, max_input_chars_per_word } = file.model;
    const pieces: string[] = [];
    for (const [piece, id] of Object.entries(vocab)) pieces[id] = piece;
    this.#vocabulary = new WordPieceVocabulary(pieces);
    this.#unknown = vocab[unk_token] ?? 0;
    this.#maxWordChars = max_input_chars_per_word;
    const units = max_input_chars_per_word * 2;
    this.#word = new Uint16Array(units);
    this.#origins = new Uint32Array(units);
    this.#pieceIds = new Uint32Array(units);
    this.#pieceStarts = new Uint8Array(units);
  }

  count(text: string): number {
    this.#scan(text, COUNT, Infinity);
    return this.#count;
  }

  starts(text: string): Uint32Array {
    this.#scan(text, STARTS, Infinity);
    return this.#out.slice(0, this.#count);
  }

  encode(text: string, limit = Infinity): Uint32Array {
    this.#scan(text, IDS, limit);
    return this.#out.slice(0, Math.min(limit, this.#count));
  }

  #scan(text: string, mode: number, limit: number): void {
    const kinds = this.#kinds;
    const word = this.#word;
    const max = this.#maxWordChars;
    const { length } = text;
    const source = this.#codeUnits.read(text);
    this.#count = 0;
    let at = 0;
    while (at < length && this.#count < limit) {
      const kind = kinds[source[at] ?? 0] ?? CharacterKind.complex;
      if (kind === CharacterKind.space) {
        at++;
        continue;
      }
      const start = at;
      if (kind === CharacterKind.single) {
        word[0] = source[at++] ?? 0;
        this.#emitSingle(start, mode);
        continue;
      }
      if (kind === CharacterKind.complexSingle) {
        this.#normalizedWords(text, start, ++at, mode);
        continue;
      }
      let hash = FNV_OFFSET;
      let complex = false;
      let units = 0;
      for (; at < length; at++, units++) {
        let unit = source[at] ?? 0;
        const here = kinds[unit];
        if (here !== CharacterKind.letter) {
          if (here !== CharacterKind.complex) break;
          complex = true;
        }
        if (unit >= ASCII_A && unit <= ASCII_Z) unit |= 32;
        if (units < max) word[units] = unit;
        hash = Math.imul(hash ^ unit, FNV_PRIME);
      }
      if (complex) this.#normalizedWords(text, start, at, mode);
      else if (units > max) this.#emit(this.#unknown, start, mode);
      else this.#plainWord(start, units, hash >>> 0, mode);
    }
  }

  /** A word whose code units stand in `#word` and map one to one to the text from `start`. */
  #plainWord(start: number, length: number, hash: number, mode: number): void {
    const cache = this.#cache;
    let entry = cache.find(hash, this.#word, length);
    if (entry < 0) {
      const pieces = this.#match(length);
      entry = cache.add(hash, this.#word, length, this.#pieceIds, this.#pieceStarts, pieces);
      if (entry < 0) {
        for (let i = 0; i < pieces; i++) this.#emit(this.#pieceIds[i] ?? 0, start + (this.#pieceStarts[i] ?? 0), mode);
        return;
      }
    }
    const pieces = cache.pieces(entry);
    if (mode === COUNT) {
      this.#count += pieces;
      return;
    }
    const first = cache.firstPiece(entry);
    for (let i = first; i < first + pieces; i++) {
      this.#emit(cache.ids[i] ?? 0, start + (cache.starts[i] ?? 0), mode);
    }
  }

  /** Words of a run that holds characters which normalising changes, removes or turns into punctuation. */
  #normalizedWords(text: string, from: number, to: number, mode: number): void {
    this.#length = 0;
    this.#chars = 0;
    for (let at = from; at < to;) {
      const origin = at;
      const { text: normal, punctuation } = normalizeCharacter(text, at);
      at += (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
      if (punctuation) {
        this.#endWord(mode);
        this.#append(normal, origin);
        this.#endWord(mode);
      } else this.#append(normal, origin);
    }
    this.#endWord(mode);
  }

  #append(normal: string, origin: number): void {
    for (let i = 0; i < normal.length; i++) {
      const unit = normal.charCodeAt(i);
      if ((unit & 0xfc00) !== 0xdc00) this.#chars++;
      if (this.#length === 0) this.#origins[0] = origin;
      if (this.#chars > this.#maxWordChars) return;
      this.#word[this.#length] = unit;
      this.#origins[this.#length++] = origin;
    }
  }

  #endWord(mode: number): void {
    if (this.#chars > this.#maxWordChars) this.#emit(this.#unknown, this.#origins[0] ?? 0, mode);
    else if (this.#length > 0) {
      const pieces = this.#match(this.#length);
      for (let i = 0; i < pieces; i++) {
        this.#emit(this.#pieceIds[i] ?? 0, this.#origins[this.#pieceStarts[i] ?? 0] ?? 0, mode);
      }
    }
    this.#length = 0;
    this.#chars = 0;
  }

  /** Splits the word into pieces and returns their number; a word that cannot be made of pieces is one unknown token. */
  #match(length: number): number {
    let pieces = 0;
    for (let at = 0; at < length;) {
      const found = this.#vocabulary.longestAt(this.#word, at, length);
      if (found < 0) {
        this.#pieceIds[0] = this.#unknown;
        this.#pieceStarts[0] = 0;
        return 1;
      }
      this.#pieceIds[pieces] = found & PIECE_ID_MASK;
      this.#pieceStarts[pieces++] = at;
      at += found >>> PIECE_LENGTH_SHIFT;
    }
    return pieces;
  }

  #emitSingle(start: number, mode: number): void {
    if (mode === IDS) this.#match(1);
    this.#emit(this.#pieceIds[0] ?? 0, start, mode);
  }

  #emit(id: number, start: number, mode: number): void {
    if (mode !== COUNT) {
      if (this.#count === this.#out.length) {
        const larger = new Uint32Array(this.#count * 2);
        larger.set(this.#out);
        this.#out = larger;
      }
      this.#out[this.#count] = mode === IDS ? id : start;
    }
    this.#count++;
  }
}
