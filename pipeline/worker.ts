import type { Log, LogReader, LogRecord } from '../ports/log/log.ts';
import type { Clock, Random } from '../runtime/clock.ts';
import { classify, RecordsLost } from '../runtime/errors.ts';
import type { Logger } from '../runtime/logger.ts';
import type { Metrics } from '../runtime/metrics.ts';
import { retryDelayMs } from '../runtime/retry.ts';
import { bisect } from './bisect.ts';
import { Commits } from './commits.ts';
import type { DeadLetters, Rejection } from './dead-letters.ts';
import type { Ending, Flow } from './flow.ts';
import type { MakeUp } from './lost-records.ts';
import { nextOffsets } from './offset-tracker.ts';
import type { Claim } from './stage.ts';

export interface WorkerOptions {
  readonly group: string;
  readonly topics: readonly string[];
  readonly flow: Flow;
  readonly log: Log;
  readonly deadLetters: DeadLetters;
  readonly maxBatchRecords: number;
  readonly maxBatchBytes: number;
  readonly attempts: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Makes up for records that retention deleted. Absent: the worker ends with the error. */
  readonly makeUp?: MakeUp | undefined;
  /** Lets the event loop run between two stages; see FlowRun. */
  readonly turn?: (() => Promise<void>) | undefined;
}

/** Longest pause before a worker that lost its log joins its group again, ms. */
const MAX_REJOIN_DELAY_MS = 10_000;
/** How soon a record that waits for another partition is tried again, ms. */
const BLOCKED_DELAY_MS = 10;

/**
 * Takes records from the log through a flow for as long as the signal allows. When the log cannot be reached it joins its group
 * again, from the committed offsets on. @throws errors with fate `fatal`: an operator must act.
 */
export async function runWorker(options: WorkerOptions, signal: AbortSignal): Promise<void> {
  const { clock, random, logger, group } = options;
  for (let failures = 0; !signal.aborted; failures++) {
    const startedMs = clock.monotonicMs();
    try {
      return await asMember(options, signal);
    } catch (cause) {
      if (signal.aborted) return;
      const error = classify(cause);
      if (error.fate === 'fatal') throw error;
      if (clock.monotonicMs() - startedMs > MAX_REJOIN_DELAY_MS) failures = 0;
      const delayMs = retryDelayMs(Math.min(failures + 1, 20), {
        minDelayMs: 50,
        maxDelayMs: MAX_REJOIN_DELAY_MS,
        random,
      });
      logger[failures < 5 ? 'warn' : 'error'](`The ${group} worker starts again from its committed offsets.`, {
        code: error.code,
        delayMs: Math.round(delayMs),
        error,
      });
      await clock.sleep(delayMs, signal).catch(() => undefined);
    }
  }
}

/** Reads as one member of the group until the signal aborts or the log is closed. */
async function asMember(options: WorkerOptions, signal: AbortSignal): Promise<void> {
  const { group, topics, maxBatchRecords, maxBatchBytes, makeUp } = options;
  await using reader = options.log.subscribe({ group, topics, maxBatchRecords, maxBatchBytes, lingerMs: 0 });
  for (;;) {
    try {
      return await readLoop(reader, options, signal);
    } catch (error) {
      if (!(error instanceof RecordsLost) || !makeUp) throw error;
      const { topic, partition } = error;
      await reader.commit([{ topic, partition, next: await makeUp(error, signal) }], signal);
    }
  }
}

/**
 * The loop is the guarantee: what a batch does is durable in the sink, then its dead letters are, then what it claims is, and only then its
 * offsets are committed (I12). A crash anywhere repeats work, and versions make the repetition harmless (I6).
 */
async function readLoop(reader: LogReader, options: WorkerOptions, signal: AbortSignal): Promise<void> {
  const { group, flow, deadLetters, metrics, clock, turn } = options;
  const trying = { ...options, name: group, onRetry };
  const commits = new Commits({ ...trying, commit: (offsets, ending) => reader.commit(offsets, ending) }, signal);
  try {
    // A batch that is being worked on when a commit fails comes to its end: its vectors have been computed.
    for await (const batch of reader.batches(AbortSignal.any([signal, commits.failed]))) {
      metrics.inFlightBytes.set({ group }, sizeOf(batch));
      const claims: Claim[] = [];
      const run = { signal, clock, observe, turn, later: (claim: Claim) => void claims.push(claim) };
      const endings = await bisect(batch, (part) => flow.process(part, run), trying, signal);
      await deadLetters.write(rejections(batch, endings), signal);
      const done = nextOffsets(batch, endings);
      await commits.after(claims, done);
      metrics.batchRecords.observe({ group }, batch.length);
      metrics.inFlightBytes.set({ group }, 0);
      // What is blocked waits for another partition, maybe one of this reader's, which goes on.
      reader.rewind(batch.filter((_, index) => endings[index]?.kind === 'blocked'));
      if (done.length === 0) await clock.sleep(BLOCKED_DELAY_MS, signal);
    }
    commits.failed.throwIfAborted();
  } finally {
    await commits.abandon();
  }

  function observe(stage: string, outcomes: ReadonlyMap<string, number>, tookMs: number): void {
    for (const [outcome, count] of outcomes) metrics.stageRecords.inc({ stage, outcome }, count);
    metrics.stageDuration.observe({ stage }, tookMs / 1000);
  }

  function onRetry(error: { readonly code: string }): void {
    metrics.retries.inc({ operation: group, code: error.code });
  }
}

function rejections(batch: readonly LogRecord[], endings: readonly Ending[]): readonly Rejection[] {
  return batch.flatMap((record, index) => {
    const ending = endings[index];
    return ending?.kind === 'rejected' ? [{ record, stage: ending.stage, error: ending.error }] : [];
  });
}

function sizeOf(batch: readonly LogRecord[]): number {
  return batch.reduce((bytes, record) => bytes + (record.value?.byteLength ?? 0), 0);
}
