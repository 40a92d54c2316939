import type { ParseArgsConfig } from 'node:util';
import type { Clock } from '../runtime/clock.ts';
import type { Environment } from '../runtime/config/environment-references.ts';
import type { Output } from './output.ts';

/** Flags by name: the last value of a text, `true` for a switch, every value of a repeatable one. */
export type Flags = Readonly<Record<string, string | boolean | readonly (string | boolean)[] | undefined>>;

/** How a verb ended, as its exit code: 0 done, 1 failed, 2 wrong usage or config. */
export type ExitCode = 0 | 1 | 2;

/** What a verb is given: everything of the outside world comes in as an argument, so that a test needs no process. */
export interface VerbContext {
  readonly flags: Flags;
  /** Words after the verb that are not flags. */
  readonly words: readonly string[];
  readonly env: Environment;
  readonly output: Output;
  readonly clock: Clock;
  readonly fetch: typeof globalThis.fetch;
  /** Every verb, for help. */
  readonly verbs: readonly Verb[];
  /** Aborts at the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
}

/** One command. `run` imports the rest of the verb when it is called, so that `freshet help` loads nothing. */
export interface Verb {
  readonly name: string;
  /** One line for the overview. */
  readonly summary: string;
  /** Words and flags after `freshet`, as help shows them. */
  readonly usage: string;
  /** Flags beside those that every verb takes. */
  readonly flags: NonNullable<ParseArgsConfig['options']>;
  /** What each flag means, by name. */
  readonly flagHelp: Readonly<Record<string, string>>;
  /** How many words it takes at least and at most. */
  readonly words: readonly [least: number, most: number];
  /** @throws FreshetError, which decides the exit code: 2 for InvalidUsage and InvalidConfig, else 1. */
  run(context: VerbContext): Promise<ExitCode>;
}
