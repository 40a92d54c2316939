import { CodeUnits } from '../../ports/onnx/code-units.ts';
import type { Tokenizer } from '../../ports/embedder/embedder.ts';
import { isWhite, type Block } from './blocks.ts';
import { eachSentenceStart } from './sentences.ts';

/** What it is worth to cut before a unit, best first. `never` is used only where nothing else fits. */
export const Cut = { never: 0, word: 1, sentence: 2, item: 3, block: 4, heading: 5, forced: 6 } as const;
export type Cut = (typeof Cut)[keyof typeof Cut];

/**
 * The smallest parts that a text is packed from (a sentence, a row, a line of code, a heading; a word or less where these are longer
 * than a passage), column by column: unit `i` is `text.slice(starts[i], ends[i])`, without white space at its borders.
 */
export interface Units {
  readonly starts: number[];
  readonly ends: number[];
  readonly tokens: number[];
  /** Share of a passage that the unit takes, tokens; larger than `tokens` where it has many characters for its tokens. */
  readonly weights: number[];
  /** What a cut before the unit is worth. */
  readonly cuts: Cut[];
  /** Index of its block. */
  readonly blocks: number[];
}

/**
 * A passage has at most this many UTF-16 code units per token of its budget. Without it a megabyte of base64, which WordPiece calls
 * one unknown token, would be one passage.
 */
export const MAX_CHARS_PER_TOKEN = 16;

/** Longest grapheme that is kept whole when a word must be cut, UTF-16 code units. */
const MAX_GRAPHEME_CHARS = 32;

export interface UnitOptions {
  readonly maxTokens: number;
  readonly tokenizer: Tokenizer;
}

/** Cuts blocks into units, in one pass over text and tokens. */
export function unitsOf(text: string, blocks: readonly Block[], options: UnitOptions): Units {
  const builder = new UnitBuilder(text, options);
  for (let i = 0; i < blocks.length; i++) {
    const block = blocks[i];
    if (block) builder.add(block, i, blocks[i - 1]);
  }
  return builder.units;
}

const codeUnits = new CodeUnits();

class UnitBuilder {
  readonly units: Units = { starts: [], ends: [], tokens: [], weights: [], cuts: [], blocks: [] };
  readonly #text: string;
  readonly #codeUnits: Uint16Array;
  readonly #maxTokens: number;
  readonly #maxChars: number;
  readonly #tokenizer: Tokenizer;
  readonly #tokenStarts: Uint32Array;
  /** First token at or after the unit that comes next. */
  #token = 0;
  #block = 0;

  constructor(text: string, options: UnitOptions) {
    this.#text = text;
    this.#codeUnits = codeUnits.read(text);
    this.#maxTokens = options.maxTokens;
    this.#maxChars = options.maxTokens * MAX_CHARS_PER_TOKEN;
    this.#tokenizer = options.tokenizer;
    this.#tokenStarts = options.tokenizer.starts(text);
  }

  add(block: Block, index: number, before: Block | undefined): void {
    this.#block = index;
    const first = firstCut(this.#text, block, before);
    switch (block.kind) {
      case 'heading':
      case 'rule':
        this.#unit(block.start, block.end, first);
        return;
      case 'code':
      case 'table':
      case 'front-matter':
        this.#lines(block, first);
        return;
      case 'paragraph':
      case 'list-item':
      case 'quote': {
        let start = block.start;
        let cut = first;
        eachSentenceStart(this.#text, this.#codeUnits, block.start, block.end, (next) => {
          this.#unit(start, next, cut);
          start = next;
          cut = Cut.sentence;
        });
        this.#unit(start, block.end, cut);
        return;
      }
    }
  }

  /** Lines of code or rows; a line after a blank one begins a part of its own. */
  #lines(block: Block, first: Cut): void {
    const text = this.#text;
    let cut: Cut = first;
    let rows = 0;
    for (let at = block.start; at < block.end;) {
      const feed = text.indexOf('\n', at);
      const end = feed < 0 || feed > block.end ? block.end : feed;
      const added = this.#unit(at, end, cut);
      if (added) rows++;
      // The delimiter row belongs to the header, the first line of a fence to the code.
      if (added) cut = rows === 1 ? Cut.never : Cut.sentence;
      else if (cut === Cut.sentence) cut = Cut.item;
      at = end + 1;
    }
  }

  /** Adds a unit, or its parts when it is longer than a passage. False when there is nothing but white space. */
  #unit(from: number, to: number, cut: Cut): boolean {
    const text = this.#text;
    let start = from;
    let end = to;
    while (start < end && isWhite(text.charCodeAt(start))) start++;
    while (end > start && isWhite(text.charCodeAt(end - 1))) end--;
    if (start === end) return false;
    const tokens = this.#tokensUntil(end);
    if (tokens <= this.#maxTokens && end - start <= this.#maxChars) this.#push(start, end, tokens, cut);
    else this.#words(start, end, tokens, cut);
    return true;
  }

  /** Number of tokens before `end` that no unit has taken yet, and takes them. */
  #tokensUntil(end: number): number {
    const before = this.#token;
    const { length } = this.#tokenStarts;
    while (this.#token < length && (this.#tokenStarts[this.#token] ?? end) < end) this.#token++;
    return this.#token - before;
  }

  #push(start: number, end: number, tokens: number, cut: Cut): void {
    const { units } = this;
    units.starts.push(start);
    units.ends.push(end);
    units.tokens.push(tokens);
    units.weights.push(Math.max(tokens, Math.ceil((end - start) / MAX_CHARS_PER_TOKEN)));
    units.cuts.push(cut);
    units.blocks.push(this.#block);
  }

  /** A unit that is longer than a passage, word by word; `word` ends where every tokenizer begins a new token. */
  #words(start: number, end: number, tokens: number, cut: Cut): void {
    const text = this.#text;
    this.#token -= tokens;
    let next: Cut = cut;
    for (let at = start; at < end;) {
      let stop = at + 1;
      while (stop < end && !isClean(text.charCodeAt(stop - 1), text.charCodeAt(stop))) stop++;
      let wordEnd = stop;
      while (wordEnd > at && isWhite(text.charCodeAt(wordEnd - 1))) wordEnd--;
      if (wordEnd > at) {
        const count = this.#tokensUntil(wordEnd);
        if (count <= this.#maxTokens && wordEnd - at <= this.#maxChars) this.#push(at, wordEnd, count, next);
        else this.#pieces(at, wordEnd, next);
        next = Cut.word;
      }
      while (stop < end && isWhite(text.charCodeAt(stop))) {
        if (text.charCodeAt(stop) === 10) next = Cut.sentence;
        stop++;
      }
      at = stop;
    }
  }

  /** A word that is longer than a passage. Its pieces stay apart, because tokens are not additive inside a word. */
  #pieces(start: number, end: number, cut: Cut): void {
    let next: Cut = cut;
    for (let at = start; at < end;) {
      let stop = this.#pieceEnd(at, Math.min(end, at + this.#maxChars), end);
      let tokens = this.#tokenizer.count(this.#text.slice(at, stop));
      while (tokens > this.#maxTokens) {
        const half = this.#pieceEnd(at, at + Math.ceil((stop - at) / 2), end);
        if (half === stop) break; // one character: more cannot be done
        stop = half;
        tokens = this.#tokenizer.count(this.#text.slice(at, stop));
      }
      this.#push(at, stop, tokens, next);
      next = Cut.forced;
      at = stop;
    }
  }

  #pieceEnd(start: number, stop: number, end: number): number {
    return stop === end ? end : wholeGrapheme(this.#text, start, stop);
  }
}

/** What a cut at the border of two blocks is worth. */
function firstCut(text: string, block: Block, before: Block | undefined): Cut {
  if (!before) return Cut.never;
  if (block.kind === 'heading') return before.kind === 'heading' ? Cut.sentence : Cut.heading;
  if (before.kind === 'heading' || before.kind === 'rule') return Cut.never;
  if (block.kind === 'rule') return Cut.block;
  // A lead-in (`... as follows:`) stays with what it leads to, where there is another place to cut.
  if (block.kind !== 'paragraph' && text.charCodeAt(before.end - 1) === 58) return Cut.word;
  return block.kind === 'list-item' && before.kind === 'list-item' ? Cut.item : Cut.block;
}

/** Whether every tokenizer in use begins a new token between two characters: next to white space or ASCII punctuation. */
function isClean(before: number, after: number): boolean {
  return isSeparator(before) || isSeparator(after);
}

function isSeparator(unit: number): boolean {
  if (unit < 0x80) {
    return !(
      (unit >= 48 && unit <= 57) ||
      (unit >= 65 && unit <= 90) ||
      (unit >= 97 && unit <= 122) ||
      unit === 0x7f ||
      (unit < 32 && unit !== 9 && unit !== 10 && unit !== 13)
    );
  }
  return isIdeograph(unit) || isWhite(unit);
}

/** CJK ideographs of the basic plane: one token each in BERT. */
function isIdeograph(unit: number): boolean {
  return (unit >= 0x4e00 && unit <= 0x9fff) || (unit >= 0x3400 && unit <= 0x4dbf) || (unit >= 0xf900 && unit <= 0xfaff);
}

/** Marks, joiners, variation selectors and skin tones: they belong to the character before. */
const EXTENDS = /^(?:\p{M}|\u200c|\u200d|\p{Emoji_Modifier})/u;

/** The last place at or before `stop` that is not inside a grapheme; `stop` itself, or one less, where the grapheme has no end. */
function wholeGrapheme(text: string, start: number, stop: number): number {
  let at = stop;
  for (; at > start + 1 && stop - at < MAX_GRAPHEME_CHARS; at--) {
    const unit = text.charCodeAt(at);
    if (unit >= 0xdc00 && unit <= 0xdfff) continue;
    if (text.charCodeAt(at - 1) === 0x200d || EXTENDS.test(String.fromCodePoint(text.codePointAt(at) ?? 0))) continue;
    return at;
  }
  const unit = text.charCodeAt(stop);
  const inPair = unit >= 0xdc00 && unit <= 0xdfff;
  if (!inPair) return stop;
  return stop - 1 > start ? stop - 1 : stop + 1;
}
