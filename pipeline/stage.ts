import { classify, type FreshetError } from '../runtime/errors.ts';

/** Why a record ends without reaching the index. Every reason is a label of `freshet_stage_records_total`. */
export type DropReason = 'superseded' | 'duplicate' | 'filtered';

/** What a stage says of one value. One verdict per input, in the order of the inputs: losing a record is a type error. */
export type Verdict<T> = Emit<T> | Drop | Reject;

export interface Emit<T> {
  readonly kind: 'emit';
  readonly values: readonly T[];
}

export interface Drop {
  readonly kind: 'drop';
  readonly reason: DropReason;
}

/** The value cannot go on; its record becomes a dead letter. */
export interface Reject {
  readonly kind: 'reject';
  readonly error: FreshetError;
}

export function emit<T>(...values: readonly T[]): Emit<T> {
  return { kind: 'emit', values };
}

export function drop(reason: DropReason): Drop {
  return { kind: 'drop', reason };
}

export function reject(error: FreshetError): Reject {
  return { kind: 'reject', error };
}

/**
 * Thrown by the first stage of a flow when the record at `index` needs something that another partition has yet to bring. The worker
 * goes on with what does not stand behind it, and then tries the rest again.
 */
export class Blocked extends Error {
  readonly index: number;

  constructor(index: number) {
    super('A record waits for another partition.');
    this.index = index;
  }
}

/**
 * One step of a flow. `run` gives one verdict per input. It throws only for what concerns the whole batch: fate `retry` when the
 * batch may be sent again, anything else makes the worker look for the record at fault.
 */
export interface Stage<In, Out> {
  readonly name: string;
  run(inputs: readonly In[], signal: AbortSignal): Promise<readonly Verdict<Out>[]>;
}

/** What became of one value in a sink. */
export type Written = { readonly kind: 'written'; readonly outcome: 'indexed' | 'superseded' | 'passed' } | Reject;

/**
 * Work that a batch leaves behind: the batches that follow do not wait for it, but its offsets are committed only after it. It is repeated
 * as long as it fails with fate `retry`, so repeating it has to be harmless.
 */
export type Claim = (signal: AbortSignal) => Promise<void>;

/**
 * The end of a flow. Durable when `write` resolves, except for what is handed to `later`; repeating it is harmless. One result per
 * value, same order.
 */
export interface Sink<In> {
  readonly name: string;
  write(values: readonly In[], signal: AbortSignal, later: (claim: Claim) => void): Promise<readonly Written[]>;
}

/** A stage from a pure function of one value; what it throws becomes the verdict of that value alone. */
export function eachValue<In, Out>(name: string, decide: (value: In) => Verdict<Out>): Stage<In, Out> {
  return {
    name,
    run: (values) => Promise.resolve(values.map((value) => judged(() => decide(value)))),
  };
}

function judged<T>(decide: () => Verdict<T>): Verdict<T> {
  try {
    return decide();
  } catch (cause) {
    const error = classify(cause);
    if (error.fate === 'dead-letter') return reject(error);
    throw error;
  }
}
