import type { Entity } from './entities.ts';

/**
 * How much a match says by itself.
 * - `unmistakable`: nothing else looks like this.
 * - `checksum`: right by its check digits, but one number in ten is: needs a context word, a field of its own, or to be asked for by name.
 * - `form`: looks like one: needs a context word, or to be asked for by name.
 * - `hint`: could be anything: always needs a context word.
 */
export const EVIDENCE = { hint: 1, form: 2, checksum: 3, unmistakable: 4 } as const;
export type Evidence = keyof typeof EVIDENCE;

/** A family of shapes (see shapes.ts) that means one entity. */
export interface Form {
  readonly shapes: readonly string[];
  readonly evidence: Evidence;
  /**
   * Checks what the shape cannot say: ranges, calendar, check digits.
   * @param compact separators removed, letters in upper case.
   * @param written as it stands in the normalised text.
   */
  readonly accepts?: (compact: string, written: string) => boolean;
  /** May follow a letter without a boundary ("codeis030594W903B"). */
  readonly glued?: true;
  /** A prefix length behind it (`/24`), up to so many bits, belongs to it. */
  readonly withPrefixLength?: number;
  /** Stands also as a part of a longer row of numbers ("192.168.1.1.1"). */
  readonly joined?: true;
}

/** The normalised text, and where matches go. Offsets are those of the view. */
export interface Scan {
  readonly bytes: Buffer;
  readonly length: number;
  add(start: number, end: number, entity: Entity, evidence: Evidence): void;
}

/**
 * Where a detector is called: at every such sign; at a word that has a digit in or beside it and is, with its neighbours, long
 * enough for a token; at a word that begins with a digit, when at least seven digits stand together; at a year; or once.
 */
export type Trigger = '@' | ':' | '=' | 'word' | 'number' | 'year' | 'text';

/** A match that no shape describes. Looks at a bounded stretch around `at`, so that a text costs time linear in its length. */
export interface Detector {
  readonly trigger: Trigger;
  readonly find: (scan: Scan, at: number) => void;
}

/** How one entity is recognised. */
export interface Recogniser {
  readonly entity: Entity;
  /** Is looked for only when the config names it. */
  readonly isOptIn?: true;
  /** Words and phrases in lower case, separated by `, `, that say what the number beside them is. */
  readonly context?: string;
  readonly forms?: readonly Form[];
  readonly detectors?: readonly Detector[];
}
