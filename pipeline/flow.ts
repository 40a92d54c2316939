import type { LogRecord } from '../ports/log/log.ts';
import type { Clock } from '../runtime/clock.ts';
import type { FreshetError } from '../runtime/errors.ts';
import { drop, type Claim, type DropReason, type Sink, type Stage, type Verdict, type Written } from './stage.ts';

/** How one record of a batch ended (I9): exactly one of these per record. */
export type Ending =
  | { readonly kind: 'indexed' }
  | { readonly kind: 'dropped'; readonly stage: string; readonly reason: DropReason }
  | { readonly kind: 'rejected'; readonly stage: string; readonly error: FreshetError }
  /** Not yet: it waits for another partition and is read again. */
  | { readonly kind: 'blocked' };

/** Takes a batch through every stage and the sink; one ending per record, same order. */
export interface Flow {
  readonly stages: readonly string[];
  process(records: readonly LogRecord[], run: FlowRun): Promise<readonly Ending[]>;
}

/** What a batch needs on its way. */
export interface FlowRun {
  readonly signal: AbortSignal;
  readonly clock: Clock;
  readonly observe: Observe;
  /** Takes what has to be durable before the offsets of the batch are committed, and what nothing else waits for. */
  readonly later: (claim: Claim) => void;
  /**
   * Lets the event loop run: a batch goes through several stages that never wait, and together they would block it for longer than one of them
   * may. Absent where nothing else runs in the process, as in a simulation.
   */
  readonly turn?: (() => Promise<void>) | undefined;
}

/** Told of every stage that ran: how many values had each outcome, and how long it took. */
export type Observe = (stage: string, outcomes: ReadonlyMap<string, number>, tookMs: number) => void;

interface Item<T> {
  /** Index of the record in the batch. */
  readonly origin: number;
  readonly value: T;
}

interface FlowBuilder<T> {
  through<U>(stage: Stage<T, U>): FlowBuilder<U>;
  into(sink: Sink<T>): Flow;
}

interface Pass extends FlowRun {
  readonly endings: Map<number, Ending>;
}
type Run<T> = (records: readonly LogRecord[], pass: Pass) => Promise<readonly Item<T>[]>;

/** Starts a flow at its first stage: `from(decodeChange).through(dedupe).through(filterPii).into(documentsTopic)`. */
export function from<T>(stage: Stage<LogRecord, T>): FlowBuilder<T> {
  const everyRecord: Run<LogRecord> = (records) => Promise.resolve(records.map((value, origin) => ({ origin, value })));
  return build(everyRecord, []).through(stage);
}

function build<T>(run: Run<T>, stages: readonly string[]): FlowBuilder<T> {
  return {
    through: (stage) =>
      build(async (records, pass) => runStage(stage, await run(records, pass), pass), [...stages, stage.name]),
    into: (sink) => ({
      stages: [...stages, sink.name],
      process: async (records, flowRun) => {
        const pass: Pass = { ...flowRun, endings: new Map() };
        await runSink(sink, await run(records, pass), pass);
        return records.map((_, origin) => pass.endings.get(origin) ?? { kind: 'indexed' });
      },
    }),
  };
}

/**
 * A stage that took this long lets others run behind it, ms: few of them stay below what the event loop may be blocked for. A live change
 * passes its stages in less, and must not queue behind a search at each of them.
 */
const LONG_STAGE_MS = 5;

async function runStage<In, Out>(
  stage: Stage<In, Out>,
  items: readonly Item<In>[],
  pass: Pass,
): Promise<readonly Item<Out>[]> {
  if (items.length === 0) return [];
  const started = pass.clock.monotonicMs();
  const verdicts = await stage.run(
    items.map((item) => item.value),
    pass.signal,
  );
  const tookMs = pass.clock.monotonicMs() - started;
  pass.observe(stage.name, tally(verdicts.map(outcomeOf)), tookMs);
  if (tookMs >= LONG_STAGE_MS) await pass.turn?.();
  return collect(stage.name, items, verdicts, pass.endings);
}

async function runSink<T>(sink: Sink<T>, items: readonly Item<T>[], pass: Pass): Promise<void> {
  if (items.length === 0) return;
  const started = pass.clock.monotonicMs();
  const written = await sink.write(
    items.map((item) => item.value),
    pass.signal,
    pass.later,
  );
  pass.observe(
    sink.name,
    tally(written.map((result) => (result.kind === 'reject' ? 'rejected' : result.outcome))),
    pass.clock.monotonicMs() - started,
  );
  settle(sink.name, items, written, pass.endings);
}

function collect<In, Out>(
  stage: string,
  items: readonly Item<In>[],
  verdicts: readonly Verdict<Out>[],
  endings: Map<number, Ending>,
): Item<Out>[] {
  if (verdicts.length !== items.length)
    throw new RangeError(`stage ${stage} gave ${verdicts.length} verdicts for ${items.length} values`);
  const out: Item<Out>[] = [];
  items.forEach(({ origin }, index) => {
    const verdict = verdicts[index] ?? drop('filtered');
    switch (verdict.kind) {
      case 'emit':
        for (const value of verdict.values) out.push({ origin, value });
        break;
      case 'drop':
        if (!endings.has(origin)) endings.set(origin, { kind: 'dropped', stage, reason: verdict.reason });
        break;
      case 'reject':
        endings.set(origin, { kind: 'rejected', stage, error: verdict.error });
        break;
    }
  });
  return out;
}

/** A record is rejected when any of its values was, superseded when none of them was written, else indexed. */
function settle<T>(
  sink: string,
  items: readonly Item<T>[],
  written: readonly Written[],
  endings: Map<number, Ending>,
): void {
  if (written.length !== items.length)
    throw new RangeError(`sink ${sink} gave ${written.length} results for ${items.length} values`);
  items.forEach(({ origin }, index) => {
    const result = written[index];
    const known = endings.get(origin);
    if (!result || known?.kind === 'rejected') return;
    if (result.kind === 'reject') endings.set(origin, { kind: 'rejected', stage: sink, error: result.error });
    else if (result.outcome !== 'superseded') endings.set(origin, { kind: 'indexed' });
    else if (!known) endings.set(origin, { kind: 'dropped', stage: sink, reason: 'superseded' });
  });
}

function outcomeOf(verdict: Verdict<unknown>): string {
  switch (verdict.kind) {
    case 'emit':
      return 'emitted';
    case 'drop':
      return verdict.reason;
    case 'reject':
      return 'rejected';
  }
}

function tally(outcomes: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const outcome of outcomes) counts.set(outcome, (counts.get(outcome) ?? 0) + 1);
  return counts;
}
