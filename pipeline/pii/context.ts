import { CLASS, DIGIT, LETTER } from './characters.ts';
import type { Entity } from './entities.ts';
import { withoutLabels } from './label.ts';
import type { Recogniser } from './recogniser.ts';
import type { View } from './view.ts';

/** How far before and after a value a word still speaks about it, characters. */
const BEFORE = 64;
const AFTER = 24;
/** Longest field whose name speaks about all of its text, characters. */
const MAX_NAMED_FIELD = 64;
/** Longest phrase, words. */
const MAX_PHRASE = 3;

const NOT_WORD = /[^\p{L}\p{N}]+/u;
const CAMEL = /(\p{Ll})(\p{Lu})/gu;
const INVISIBLE = /\p{Cf}/gu;

/** Words in lower case, also those of `camelCase` and `snake_case`. */
const wordsOf = (text: string): string[] =>
  text.normalize('NFKC').replace(INVISIBLE, '').replace(CAMEL, '$1 $2').toLowerCase().split(NOT_WORD).filter(Boolean);

/** Bits of the filter that stands before the words: 64 Ki for some 500 words lets one word in a hundred through. */
const FILTER_BITS = 16;

interface Phrase {
  readonly rest: readonly string[];
  readonly entity: Entity;
}

const NONE: ReadonlySet<Entity> = new Set();

/** Words that say what the number beside them is. */
export class ContextWords {
  readonly #phrases = new Map<string, Phrase[]>();
  readonly #filter = new Uint32Array(1 << (FILTER_BITS - 5));

  constructor(recognisers: readonly Recogniser[]) {
    for (const { entity, context } of recognisers) {
      if (context === undefined) continue;
      for (const phrase of context.split(', ')) {
        const [first = '', ...rest] = phrase.split(' ');
        if (rest.length >= MAX_PHRASE) throw new Error(`the context "${phrase}" has more than ${MAX_PHRASE} words`);
        const known = this.#phrases.get(first);
        if (known) known.push({ rest, entity });
        else this.#phrases.set(first, [{ rest, entity }]);
        this.#remember(first);
      }
    }
  }

  #remember(word: string): void {
    let hash = 0;
    for (let i = 0; i < word.length; i++) hash = extend(hash, word.charCodeAt(i));
    const bit = hash >>> (32 - FILTER_BITS);
    this.#filter[bit >>> 5] = (this.#filter[bit >>> 5] ?? 0) | (1 << (bit & 31));
  }

  /** Entities that the words around the bytes `start..end` of a view, or the name of its field, speak of. */
  around(view: View, start: number, end: number, field: string): ReadonlySet<Entity> {
    const { original, offsets } = view;
    const isNamed = original.length <= MAX_NAMED_FIELD && field !== '';
    const isNear = this.#mayHave(view, start - BEFORE, start) || this.#mayHave(view, end, end + AFTER);
    if (!isNamed && !isNear) return NONE;
    const found = new Set<Entity>();
    if (isNamed) this.#collect(wordsOf(field), found);
    if (!isNear) return found;
    const [from, to] = offsets ? [offsets[start] ?? 0, offsets[end] ?? original.length] : [start, end];
    const first = Math.max(0, from - BEFORE);
    const before = wordsOf(withoutLabels(original.slice(first, from)));
    // A word that the window cuts is no word.
    if (first > 0 && !NOT_WORD.test(original.charAt(first - 1))) before.shift();
    this.#collect(before, found);
    this.#collect(wordsOf(withoutLabels(original.slice(to, to + AFTER))), found);
    return found;
  }

  /** False when no context word begins anywhere in these bytes: true for nearly every number there is, at a tenth of the cost. */
  #mayHave(view: View, from: number, to: number): boolean {
    const { bytes } = view;
    const limit = Math.min(to, view.length);
    let hash = 0;
    let last = 0;
    for (let at = Math.max(0, from); at <= limit; at++) {
      const byte = at < limit ? (bytes[at] ?? 0) : 0;
      // Beyond ASCII only the text itself tells the words.
      if (byte >= 0x80 || byte === 2) return true;
      const isWord = ((CLASS[byte] ?? 0) & (LETTER | DIGIT)) !== 0;
      const isHump = isWord && byte < 0x61 && last >= 0x61;
      if (hash !== 0 && (!isWord || isHump)) {
        const bit = hash >>> (32 - FILTER_BITS);
        if ((this.#filter[bit >>> 5] ?? 0) & (1 << (bit & 31))) return true;
        hash = 0;
      }
      if (isWord) hash = extend(hash, byte | 0x20);
      last = isWord ? byte : 0;
    }
    return false;
  }

  #collect(words: readonly string[], found: Set<Entity>): void {
    for (let i = 0; i < words.length; i++) {
      const phrases = this.#phrases.get(words[i] ?? '');
      if (!phrases) continue;
      for (const { rest, entity } of phrases)
        if (rest.every((word, offset) => words[i + 1 + offset] === word)) found.add(entity);
    }
  }
}

const extend = (hash: number, code: number): number => Math.imul(hash ^ code, 0x01000193) + 0x9e3779b9;
