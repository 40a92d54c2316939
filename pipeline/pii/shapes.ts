/*
 * Numbers are told apart by their shape before anything is computed about them. A shape is written as a template: `9` a digit,
 * `A` a Latin letter, `X` either, `~` the same separator at every place (none, space, hyphen or full stop), anything else itself.
 * Templates become run lengths (`999-99` is "3 digits, hyphen, 2 digits"), and run lengths one integer: the scanner finds all
 * shapes that begin at a place with one multiplication and one look-up per run, however many there are.
 */

const DIGITS = 0x100;
const LETTERS = 0x200;
/** Longer runs are no part of any shape. */
const MAX_RUN = 0xff;

export const digitRun = (length: number): number => DIGITS + Math.min(length, MAX_RUN);
export const letterRun = (length: number): number => LETTERS + Math.min(length, MAX_RUN);
export const isDigitRun = (run: number): boolean => (run & DIGITS) !== 0;
export const isLetterRun = (run: number): boolean => (run & LETTERS) !== 0;
export const isAlphanumericRun = (run: number): boolean => run >= DIGITS;

/** Extends the hash of a sequence of runs by one run. Starts at 0. */
export const extendShape = (hash: number, run: number): number => Math.imul(hash ^ run, 0x9e3779b1) ^ (hash >>> 15);

/** All shapes of a template. */
export function shapesOf(template: string): readonly (readonly number[])[] {
  const separated = template.includes('~')
    ? ['', ' ', '-', '.'].map((separator) => template.replaceAll('~', separator))
    : [template];
  return separated.flatMap(expandEither).map(runsOf);
}

function expandEither(template: string): readonly string[] {
  const at = template.indexOf('X');
  if (at < 0) return [template];
  const [before, after] = [template.slice(0, at), template.slice(at + 1)];
  return [...expandEither(`${before}9${after}`), ...expandEither(`${before}A${after}`)];
}

function runsOf(template: string): readonly number[] {
  const runs: number[] = [];
  for (let i = 0; i < template.length;) {
    const char = template.charAt(i);
    let end = i + 1;
    if (char === '9' || char === 'A') while (template.charAt(end) === char) end++;
    runs.push(char === '9' ? digitRun(end - i) : char === 'A' ? letterRun(end - i) : char.charCodeAt(0));
    i = end;
  }
  return runs;
}

/** Which values have a shape; answers "none" for nearly every shape with one look at a bit. */
export class ShapeIndex<T> {
  readonly longest: number;
  readonly #bits = new Uint32Array(2_048);
  readonly #byHash = new Map<number, { readonly runs: readonly number[]; readonly values: T[] }>();

  constructor(entries: Iterable<readonly [template: string, value: T]>) {
    let longest = 0;
    for (const [template, value] of entries) {
      for (const runs of shapesOf(template)) {
        longest = Math.max(longest, runs.length);
        this.#add(runs, value);
      }
    }
    this.longest = longest;
  }

  #add(runs: readonly number[], value: T): void {
    const hash = runs.reduce(extendShape, 0);
    const known = this.#byHash.get(hash);
    if (known && known.runs.join() !== runs.join())
      throw new Error(`shapes ${known.runs.join()} and ${runs.join()} collide`);
    if (known && !known.values.includes(value)) known.values.push(value);
    if (!known) this.#byHash.set(hash, { runs, values: [value] });
    this.#bits[(hash >>> 5) & 2_047] = (this.#bits[(hash >>> 5) & 2_047] ?? 0) | (1 << (hash & 31));
  }

  /** Cheap test whether `at` could find anything. */
  mayHave(hash: number): boolean {
    return ((this.#bits[(hash >>> 5) & 2_047] ?? 0) & (1 << (hash & 31))) !== 0;
  }

  /** Values whose shape hashes to `hash` and begins with the given runs; the caller passes the runs to rule out collisions. */
  at(hash: number, runs: Uint16Array, from: number, to: number): readonly T[] {
    const entry = this.#byHash.get(hash);
    if (!entry || entry.runs.length !== to - from) return [];
    for (let i = from; i < to; i++) if (runs[i] !== entry.runs[i - from]) return [];
    return entry.values;
  }
}
