import type { Entity } from './entities.ts';
import type { Recogniser } from './recogniser.ts';

/** How far before and after a value a word still speaks about it, characters. */
const BEFORE = 64;
const AFTER = 24;
/** Longest field whose name speaks about all of its text, characters. */
const MAX_NAMED_FIELD = 64;
/** Longest phrase, words. */
const MAX_PHRASE = 3;

const NOT_WORD = /[^\p{L}\p{N}]+/u;
const CAMEL = /(\p{Ll})(\p{Lu})/gu;

const wordsOf = (text: string): string[] => text.replace(CAMEL, '$1 $2').toLowerCase().split(NOT_WORD).filter(Boolean);

/** Context words by their first word, and what stands around a value. */
export class ContextWords {
  readonly #phrases = new Map<string, { readonly rest: readonly string[]; readonly entity: Entity }[]>();

  constructor(recognisers: readonly Recogniser[]) {
    for (const { entity, context = '' } of recognisers) {
      for (const phrase of context.split(', ')) {
        const [first = '', ...rest] = phrase.split(' ');
        if (rest.length >= MAX_PHRASE) throw new Error(`the context "${phrase}" has more than ${MAX_PHRASE} words`);
        const known = this.#phrases.get(first);
        if (known) known.push({ rest, entity });
        else this.#phrases.set(first, [{ rest, entity }]);
      }
    }
  }

  /** Entities that the words around `text.slice(start, end)`, or the name of its field, speak of. */
  around(text: string, start: number, end: number, field: string): ReadonlySet<Entity> {
    const found = new Set<Entity>();
    const from = Math.max(0, start - BEFORE);
    const before = wordsOf(text.slice(from, start));
    // A word that the window cuts is no word.
    if (from > 0 && !NOT_WORD.test(text.charAt(from - 1))) before.shift();
    this.#collect(before, found);
    this.#collect(wordsOf(text.slice(end, end + AFTER)), found);
    if (text.length <= MAX_NAMED_FIELD) this.#collect(wordsOf(field), found);
    return found;
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
