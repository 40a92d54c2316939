import { CLASS, DIGIT, isAlphanumericAt, isDigitAt, JOINER, LETTER, TRIGGER } from './characters.ts';
import { labelEnd } from './label.ts';
import type { Detector, Form, Recogniser, Scan, Trigger } from './recogniser.ts';
import { prefixEnd } from './prefix-length.ts';
import { digitRun, extendShape, isAlphanumericRun, isDigitRun, isLetterRun, letterRun, ShapeIndex } from './shapes.ts';
import type { Entity } from './entities.ts';

interface EntityForm {
  readonly entity: Entity;
  readonly form: Form;
}

/** Pure letters that may stand in front of, or between, the groups of a number: "B AB 1234", "HRB 123456". */
const MAX_LETTER_GROUP = 5;
const MAX_LETTER_GROUPS = 2;
/** Separators in a row that still join two groups: "(212) 555". */
const MAX_SEPARATORS = 2;
const OPEN_BRACKET = 91;
/** Fewest digits of a telephone number. */
const MIN_NUMBER = 7;
/** Shortest match of a detector of words: a MAC address with full stops. */
const MIN_WORDS = 14;
const YEAR = digitRun(4);
const COLON = 58;
const HYPHEN = 45;
const DOT = 46;

/**
 * Finds every match of a set of recognisers in one pass: a loop over the bytes that stops only at digits and a few signs; around a
 * digit it splits the neighbourhood into runs of digits, letters and separators, and looks their shapes up. Every byte is part
 * of at most a constant number of look-ups, so time is linear in the text, whatever is in it.
 */
export class Scanner {
  readonly #shapes: ShapeIndex<EntityForm>;
  readonly #detectors: Readonly<Record<Trigger, readonly Detector[]>>;
  #runs = new Uint16Array(256);
  #starts = new Int32Array(257);
  #count = 0;
  /** Digits in the runs. */
  #digits = 0;

  constructor(recognisers: readonly Recogniser[]) {
    const entries = recognisers.flatMap(({ entity, forms = [] }) =>
      forms.flatMap((form) => form.shapes.map((shape) => [shape, { entity, form }] as const)),
    );
    // One value per form, so that a form with many shapes is tried once.
    const values = new Map<Form, EntityForm>();
    for (const [, value] of entries) if (!values.has(value.form)) values.set(value.form, value);
    this.#shapes = new ShapeIndex(entries.map(([shape, value]) => [shape, values.get(value.form) ?? value] as const));
    const detectors = recognisers.flatMap((recogniser) => recogniser.detectors ?? []);
    const at = (trigger: Trigger) => detectors.filter((detector) => detector.trigger === trigger);
    this.#detectors = {
      number: at('number'),
      year: at('year'),
      '@': at('@'),
      ':': at(':'),
      '=': at('='),
      word: at('word'),
      text: at('text'),
    };
  }

  /** Calls `scan.add` for every match, in order of their last trigger; matches may overlap. */
  run(scan: Scan): void {
    const { bytes, length } = scan;
    for (const detector of this.#detectors.text) detector.find(scan, 0);
    let floor = 0;
    for (let at = 0; at < length;) {
      if (((CLASS[bytes[at] ?? 0] ?? 0) & TRIGGER) === 0) {
        at++;
        continue;
      }
      if (isDigitAt(bytes, at)) {
        floor = this.#cluster(scan, at, floor);
        at = floor;
        continue;
      }
      const end = bytes[at] === OPEN_BRACKET ? labelEnd(bytes, at, length) : 0;
      if (end > 0) {
        at = floor = end;
        continue;
      }
      this.#sign(scan, at);
      at++;
    }
  }

  #sign(scan: Scan, at: number): void {
    const byte = scan.bytes[at];
    const trigger = byte === 64 ? '@' : byte === 58 ? ':' : byte === 61 ? '=' : undefined;
    if (trigger) for (const detector of this.#detectors[trigger]) detector.find(scan, at);
  }

  /** Handles the groups around the digit at `at`; gives the place to go on from, behind the last group with a digit. */
  #cluster(scan: Scan, at: number, floor: number): number {
    const end = this.#split(scan, this.#clusterStart(scan, at, floor));
    const runs = this.#runs;
    const isLong = (this.#starts[this.#count] ?? 0) - (this.#starts[0] ?? 0) >= MIN_WORDS;
    for (let i = 0; i < this.#count; i++) {
      const run = runs[i] ?? 0;
      const from = this.#starts[i] ?? 0;
      // The signs before `at` have had their turn, those behind `end` will have.
      if (run === COLON && from > at && from < end) this.#sign(scan, from);
      if (!isAlphanumericRun(run)) continue;
      const isBoundary = i === 0 || !isAlphanumericRun(runs[i - 1] ?? 0);
      // Inside a word only digits may begin something (`glued`).
      if (isBoundary || isDigitRun(run)) this.#matchShapes(scan, i, isBoundary);
      if (!isBoundary) continue;
      if (isLong) for (const detector of this.#detectors.word) detector.find(scan, from);
      if (!isDigitRun(run)) continue;
      if (this.#digits >= MIN_NUMBER) for (const detector of this.#detectors.number) detector.find(scan, from);
      if (run === YEAR) for (const detector of this.#detectors.year) detector.find(scan, from);
    }
    return end;
  }

  #clusterStart(scan: Scan, at: number, floor: number): number {
    const { bytes } = scan;
    let start = at;
    while (start > floor && isAlphanumericAt(bytes, start - 1)) start--;
    for (let groups = 0; groups < MAX_LETTER_GROUPS; groups++) {
      const last = start - 2;
      if (last < floor || ((CLASS[bytes[start - 1] ?? 0] ?? 0) & JOINER) === 0 || !isAlphanumericAt(bytes, last)) break;
      let first = last;
      while (first > floor && last - first < MAX_LETTER_GROUP && isAlphanumericAt(bytes, first - 1)) first--;
      if (last - first >= MAX_LETTER_GROUP) break;
      start = first;
    }
    return start;
  }

  /** Fills the runs from `start` to the end of the cluster; gives the end of the last group with a digit. */
  #split(scan: Scan, start: number): number {
    const { bytes, length } = scan;
    this.#count = 0;
    this.#digits = 0;
    let separators = 0;
    let letterGroups = 0;
    let end = start;
    for (let at = start; at < length;) {
      const kind = CLASS[bytes[at] ?? 0] ?? 0;
      const from = at;
      if (kind & DIGIT) {
        while (at < length && isDigitAt(bytes, at)) at++;
        this.#push(digitRun(at - from), from, at);
        this.#digits += at - from;
        end = at;
        separators = letterGroups = 0;
      } else if (kind & LETTER) {
        while (at < length && ((CLASS[bytes[at] ?? 0] ?? 0) & LETTER) !== 0) at++;
        const isGroup = (from === start || separators > 0) && !isDigitAt(bytes, at);
        if (isGroup && (at - from > MAX_LETTER_GROUP || ++letterGroups > MAX_LETTER_GROUPS)) break;
        if (!isGroup && separators === 0) end = at;
        this.#push(letterRun(at - from), from, at);
        separators = 0;
      } else {
        if (!(kind & JOINER) || ++separators > MAX_SEPARATORS) break;
        this.#push(bytes[at] ?? 0, at, ++at);
      }
    }
    return end;
  }

  #push(run: number, from: number, to: number): void {
    if (this.#count === this.#runs.length) {
      const runs = new Uint16Array(this.#count * 2);
      const starts = new Int32Array(this.#count * 2 + 1);
      runs.set(this.#runs);
      starts.set(this.#starts);
      this.#runs = runs;
      this.#starts = starts;
    }
    this.#runs[this.#count] = run;
    this.#starts[this.#count++] = from;
    this.#starts[this.#count] = to;
  }

  /** Looks up every shape that begins with run `from`. */
  #matchShapes(scan: Scan, from: number, isBoundary: boolean): void {
    const runs = this.#runs;
    const limit = Math.min(this.#count, from + this.#shapes.longest);
    let hash = 0;
    for (let to = from; to < limit; to++) {
      const run = runs[to] ?? 0;
      hash = extendShape(hash, run);
      if (!this.#shapes.mayHave(hash) || !isAlphanumericRun(run)) continue;
      if (to + 1 < this.#count && isAlphanumericRun(runs[to + 1] ?? 0)) continue;
      const forms = this.#shapes.at(hash, runs, from, to + 1);
      if (forms.length > 0) this.#tryForms(scan, forms, from, to, isBoundary);
    }
  }

  #tryForms(scan: Scan, forms: readonly EntityForm[], from: number, to: number, isBoundary: boolean): void {
    const { bytes } = scan;
    const start = this.#starts[from] ?? 0;
    const end = this.#starts[to + 1] ?? 0;
    const isPart =
      (isDigitRun(this.#runs[from] ?? 0) && isJoint(bytes, start - 1) && isDigitAt(bytes, start - 2)) ||
      (isDigitRun(this.#runs[to] ?? 0) && isJoint(bytes, end) && isDigitAt(bytes, end + 1));
    const written = bytes.toString('latin1', start, end);
    let compact: string | undefined;
    for (const { entity, form } of forms) {
      if (isPart && form.joined !== true) continue;
      if (!isBoundary && !(form.glued && isLetterRun(this.#runs[from - 1] ?? 0))) continue;
      compact ??= compactOf(written);
      if (form.accepts && !form.accepts(compact, written)) continue;
      const bits = form.withPrefixLength;
      scan.add(start, bits === undefined ? end : prefixEnd(bytes, end, bits), entity, form.evidence);
    }
  }
}

/** Part of one longer number, version or decimal: what stands on both sides of it belongs together. */
const isJoint = (bytes: Buffer, at: number): boolean => bytes[at] === HYPHEN || bytes[at] === DOT;

const compactOf = (written: string): string => written.replace(/[^0-9A-Za-z]/g, '').toUpperCase();
