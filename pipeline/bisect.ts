import type { LogRecord } from '../ports/log/log.ts';
import type { Clock, Random } from '../runtime/clock.ts';
import { classify, type FreshetError } from '../runtime/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import { retryDelayMs } from '../runtime/retry.ts';
import type { Ending } from './flow.ts';
import { isMarker } from './records.ts';
import { Blocked } from './stage.ts';

export interface BisectOptions {
  /** Name of the worker, for log lines and for the stage of a rejection. */
  readonly name: string;
  /** Tries of the whole batch before the record at fault is looked for. */
  readonly attempts: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly onRetry?: (error: FreshetError) => void;
}

type Process = (records: readonly LogRecord[], signal: AbortSignal) => Promise<readonly Ending[]>;

const MIN_DELAY_MS = 50;
const MAX_DELAY_MS = 10_000;
/** Tries of a record alone for each try of its batch: with five of those about a minute, which a failover takes at most. */
const PATIENCE = 3;

/**
 * Runs a batch; when it fails as a whole, finds the records at fault by halving, so that one poison record in 256 costs a few more
 * calls and its neighbours go on (R10). With fate `retry` a record is only given up when it fails alone while others are indexed: as
 * long as none is, the dependency is down, and waiting loses nothing. Markers and duplicates that pass prove nothing, because they
 * need neither the model nor the text.
 *
 * @returns one ending per record, same order. @throws errors with fate `fatal`, and the signal's reason.
 */
export async function bisect(
  records: readonly LogRecord[],
  process: Process,
  options: BisectOptions,
  signal: AbortSignal,
): Promise<readonly Ending[]> {
  for (let tries = 1; ; tries++) {
    let error: FreshetError;
    try {
      return await process(records, signal);
    } catch (cause) {
      if (cause instanceof Blocked) return around(cause.index, records, process, options, signal);
      error = asFailure(cause, signal);
    }
    if (error.fate === 'dead-letter' || tries % options.attempts === 0) {
      const endings = await search(records, process, options, signal);
      if (endings) return endings;
    }
    await pause(error, tries, options, signal);
  }
}

/**
 * Takes everything through that does not stand behind the blocked record: another partition may be waiting for some of it. The rest
 * is read again later, together with what the other partitions of this worker hold by then.
 */
async function around(
  index: number,
  records: readonly LogRecord[],
  process: Process,
  options: BisectOptions,
  signal: AbortSignal,
): Promise<readonly Ending[]> {
  const blocked = records[index];
  const free = records.filter((record, place) => place < index || !blocked || placeOf(record) !== placeOf(blocked));
  const freed = free.length === 0 ? [] : await bisect(free, process, options, signal);
  const endings = new Map(free.map((record, place) => [record, freed[place]]));
  return records.map((record) => endings.get(record) ?? { kind: 'blocked' });
}

/** One search for the records at fault; undefined when nothing passed, so that the batch has to wait. */
async function search(
  records: readonly LogRecord[],
  process: Process,
  options: BisectOptions,
  signal: AbortSignal,
): Promise<readonly Ending[] | undefined> {
  // Enough failures to walk down to one poison record on the far left twice; an outage fails them all without a single success.
  const failureBudget = 4 * Math.ceil(Math.log2(records.length + 1)) + 8;
  let failures = 0;
  let passed = 0;
  const endings = new Map<LogRecord, Ending>();
  /** Failed alone with fate `retry`: poison if others pass, an outage if nothing does. */
  const suspects = new Map<LogRecord, FreshetError>();
  const order = new Order();

  function setAll(part: readonly LogRecord[], ended: readonly Ending[]): void {
    part.forEach((record, index) => {
      const ending = ended[index] ?? { kind: 'indexed' };
      endings.set(record, ending);
      if (ending.kind === 'blocked') order.block(record);
    });
  }

  async function attempt(whole: readonly LogRecord[]): Promise<void> {
    if (passed === 0 && failures >= failureBudget) return;
    const part = whole.filter((record) => !order.mustWait(record));
    if (part.length === 0) return;
    try {
      const ended = await process(part, signal);
      if (part.some((record, index) => ended[index]?.kind === 'indexed' && !isMarker(record))) passed++;
      return setAll(part, ended);
    } catch (cause) {
      if (cause instanceof Blocked) return setAll(part, await around(cause.index, part, process, options, signal));
      const error = asFailure(cause, signal);
      if (error.fate === 'retry') failures++;
      const [only] = part;
      if (part.length === 1 && only) {
        if (error.fate !== 'retry') return void endings.set(only, rejection(options.name, error));
        suspects.set(only, error);
        return order.doubt(only);
      }
    }
    const middle = part.length >> 1;
    await attempt(part.slice(0, middle));
    await attempt(part.slice(middle));
  }

  await attempt(records);
  if (failures > 0 && passed === 0) return undefined;
  for (const [record, error] of suspects) setAll([record], [await lastTry(record, error, process, options, signal)]);
  order.settle();
  // What had to wait goes after what it waited for, and nothing behind a record that is blocked.
  const waiting = records.filter((record) => !endings.has(record));
  const free = waiting.filter((record) => !order.mustWait(record));
  setAll(free, free.length === 0 ? [] : await bisect(free, process, options, signal));
  return records.map((record) => endings.get(record) ?? { kind: 'blocked' });
}

/**
 * What must not go before what, while records are tried apart from each other:
 * - nothing of its partition goes before a blocked record;
 * - no marker goes before a record that is in doubt: it says that everything before it has passed (I11);
 * - nothing of the same key does: a change may leave out what the one before it has set (I4).
 */
class Order {
  readonly #blocked = new Set<string>();
  readonly #doubted = new Set<string>();
  readonly #doubtedKeys = new Set<string>();

  block(record: LogRecord): void {
    this.#blocked.add(placeOf(record));
  }

  doubt(record: LogRecord): void {
    this.#doubted.add(placeOf(record));
    this.#doubtedKeys.add(`${placeOf(record)} ${record.key}`);
  }

  /** Nothing is in doubt any more. */
  settle(): void {
    this.#doubted.clear();
    this.#doubtedKeys.clear();
  }

  mustWait(record: LogRecord): boolean {
    const place = placeOf(record);
    if (this.#blocked.has(place)) return true;
    return this.#doubted.has(place) && (isMarker(record) || this.#doubtedKeys.has(`${place} ${record.key}`));
  }
}

function placeOf({ topic, partition }: LogRecord): string {
  return `${topic}/${partition}`;
}

/**
 * A suspect failed while its neighbours passed; it gets many more tries alone before it is given up, since a part of an engine may be
 * away: a shard whose primary moves, a partition whose leader does. A marker is never given up: later records rest on it.
 */
async function lastTry(
  record: LogRecord,
  first: FreshetError,
  process: Process,
  options: BisectOptions,
  signal: AbortSignal,
): Promise<Ending> {
  let error = first;
  for (let tries = 1; tries <= options.attempts * PATIENCE || isMarker(record); tries++) {
    await pause(error, tries, options, signal);
    try {
      return (await process([record], signal))[0] ?? { kind: 'indexed' };
    } catch (cause) {
      if (cause instanceof Blocked) return { kind: 'blocked' };
      error = asFailure(cause, signal);
    }
  }
  return rejection(options.name, error);
}

function rejection(stage: string, error: FreshetError): Ending {
  return { kind: 'rejected', stage, error };
}

/** @throws what must not be waited out: an abort, or an error with fate `fatal`. */
function asFailure(cause: unknown, signal: AbortSignal): FreshetError {
  signal.throwIfAborted();
  const error = classify(cause);
  if (error.fate === 'fatal') throw error;
  return error;
}

/** Waits before a worker tries something again, longer from try to try or as long as the engine asks. @throws the signal's reason. */
async function pause(error: FreshetError, tries: number, options: BisectOptions, signal: AbortSignal): Promise<void> {
  options.onRetry?.(error);
  const delayMs = Math.max(
    retryDelayMs(Math.min(tries, 20), { minDelayMs: MIN_DELAY_MS, maxDelayMs: MAX_DELAY_MS, random: options.random }),
    (error.retryAfterSeconds ?? 0) * 1000,
  );
  const level = delayMs < 1_000 ? 'debug' : tries < 20 ? 'warn' : 'error';
  options.logger[level](`The ${options.name} worker tries a batch again.`, {
    code: error.code,
    attempt: tries,
    delayMs: Math.round(delayMs),
    error,
  });
  await options.clock.sleep(delayMs, signal);
}
