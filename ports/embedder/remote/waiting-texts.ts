import type { PreparedText } from './prepare-text.ts';
import type { RequestLimits, TextKind } from './endpoint.ts';

/** Texts of one caller: what it still waits for, in the order of its texts. */
export interface Call {
  readonly kind: TextKind;
  /** By place among the caller's texts; complete when none remains. */
  readonly vectors: Float32Array[];
  remaining: number;
  settled: boolean;
  readonly resolve: (vectors: readonly Float32Array[]) => void;
  readonly reject: (reason: unknown) => void;
}

/** One text that waits for its turn; `index` is its place among its caller's texts. */
export interface WaitingText extends PreparedText {
  readonly call: Call;
  readonly index: number;
  /** Times it was sent without getting a vector, for reasons that are not its own. */
  failures: number;
  /** Times the server asked for less. */
  overloads: number;
  /** Times it came back without a usable vector, or was refused. */
  rejections: number;
  /** Order of arrival; set by `WaitingTexts`. */
  arrival: number;
  /** Largest batch that it may share: 1 after it was refused alone or got a bad vector. */
  maxCompany: number;
}

/** Texts that share a request. */
export interface Batch {
  readonly kind: TextKind;
  readonly texts: readonly WaitingText[];
  /** Padded to the longest. */
  readonly tokens: number;
}

/** Among how many requests' worth of texts partners of like length are sought. */
const WINDOW_REQUESTS = 8;

/**
 * The texts that wait, and which of them go together: queries before passages, and around the oldest text those nearest to it in
 * length, so that little is padded, no text waits for ever, and a request is full whenever enough waits.
 */
export class WaitingTexts {
  /** Whether texts may share requests. */
  together = true;
  readonly #limits: RequestLimits;
  readonly #queries: WaitingText[] = [];
  /** Passages in order of arrival that have not entered the window; those before `#head` have. */
  #passages: WaitingText[] = [];
  #head = 0;
  /** The oldest passages, shortest first. */
  #window: WaitingText[] = [];
  #arrived = 0;
  #returned = 0;

  constructor(limits: RequestLimits) {
    this.#limits = limits;
  }

  /** How many wait, those of ended calls included. */
  get size(): number {
    return this.#queries.length + this.#window.length + this.#passages.length - this.#head;
  }

  get hasQueries(): boolean {
    return this.#queries.length > 0;
  }

  add(texts: readonly WaitingText[]): void {
    for (const text of texts) {
      text.arrival = this.#arrived++;
      if (text.call.kind === 'query') this.#queries.push(text);
      else this.#passages.push(text);
    }
  }

  /** Puts texts that were sent in vain before all others of their kind. */
  putBack(texts: readonly WaitingText[]): void {
    for (const text of texts.toReversed()) {
      text.arrival = --this.#returned;
      if (text.call.kind === 'query') this.#queries.unshift(text);
      else this.#window.push(text);
    }
  }

  /** Everything that waits; nothing does afterwards. */
  drain(): readonly WaitingText[] {
    const all = [...this.#queries, ...this.#window, ...this.#passages.slice(this.#head)];
    this.#queries.length = 0;
    this.#window = [];
    this.#passages = [];
    this.#head = 0;
    return all;
  }

  /** The next request's texts; undefined when none wait. @param reserved how many places are left free. */
  take(reserved = 0): Batch | undefined {
    const queries = this.#takeQueries(reserved);
    if (queries.length > 0) return batchOf('query', queries);
    const passages = this.#takePassages(reserved);
    return passages.length > 0 ? batchOf('passage', passages) : undefined;
  }

  #takeQueries(reserved: number): readonly WaitingText[] {
    const taken: WaitingText[] = [];
    let longest = 0;
    for (let next = this.#queries[0]; next; next = this.#queries[0]) {
      if (!next.call.settled) {
        longest = Math.max(longest, next.tokens);
        if (
          taken.length > 0 &&
          !this.#fits(taken.length + 1 + reserved, longest, Math.min(next.maxCompany, companyOf(taken)))
        ) {
          break;
        }
        taken.push(next);
      }
      this.#queries.shift();
    }
    return taken;
  }

  #takePassages(reserved: number): readonly WaitingText[] {
    this.#refill();
    const window = this.#window;
    let oldest = 0;
    for (let i = 1; i < window.length; i++) {
      if ((window[i]?.arrival ?? Infinity) < (window[oldest]?.arrival ?? Infinity)) oldest = i;
    }
    const anchor = window[oldest];
    if (!anchor) return [];
    let from = oldest;
    let to = oldest + 1;
    let company = anchor.maxCompany;
    for (;;) {
      const shorter = window[from - 1];
      const longer = window[to];
      const longest = window[to - 1]?.tokens ?? 0;
      const downFits = shorter && this.#fits(to - from + 1 + reserved, longest, Math.min(company, shorter.maxCompany));
      const upFits =
        longer && this.#fits(to - from + 1 + reserved, longer.tokens, Math.min(company, longer.maxCompany));
      if (!downFits && !upFits) break;
      const nearerBelow = downFits && (!upFits || anchor.tokens - shorter.tokens <= longer.tokens - anchor.tokens);
      company = Math.min(company, (nearerBelow ? shorter : longer)?.maxCompany ?? 1);
      if (nearerBelow) from--;
      else to++;
    }
    return window.splice(from, to - from);
  }

  /** Fills the window from the queue, without texts of ended calls, and sorts it by length. */
  #refill(): void {
    const capacity = WINDOW_REQUESTS * this.#limits.maxTexts;
    if (this.#window.some((text) => text.call.settled)) this.#window = this.#window.filter(isWanted);
    while (this.#window.length < capacity && this.#head < this.#passages.length) {
      const next = this.#passages[this.#head++];
      if (next && isWanted(next)) this.#window.push(next);
    }
    // A queue that is read from the front: what was read is given up when it is most of the array.
    if (this.#head * 2 > this.#passages.length) {
      this.#passages = this.#passages.slice(this.#head);
      this.#head = 0;
    }
    this.#window.sort((a, b) => a.tokens - b.tokens || a.arrival - b.arrival);
  }

  #fits(count: number, longest: number, company: number): boolean {
    return (
      (this.together || count === 1) &&
      count <= company &&
      count <= this.#limits.maxTexts &&
      count * longest <= this.#limits.maxTokens
    );
  }
}

function isWanted(text: WaitingText): boolean {
  return !text.call.settled;
}

function companyOf(texts: readonly WaitingText[]): number {
  return texts.reduce((least, text) => Math.min(least, text.maxCompany), Infinity);
}

function batchOf(kind: TextKind, texts: readonly WaitingText[]): Batch {
  return { kind, texts, tokens: texts.length * texts.reduce((longest, { tokens }) => Math.max(longest, tokens), 0) };
}
