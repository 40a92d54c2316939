import { quantile } from '../metrics/bootstrap.ts';
import {
  canaryId,
  canaryWord,
  send,
  writeCanary,
  type Canary,
  type ProbeCaller,
  type ProbeTarget,
} from './probe-target.ts';

/** What a source system does to a document. */
export const FRESHNESS_STEPS = ['insert', 'update', 'delete'] as const;
export type FreshnessStep = (typeof FRESHNESS_STEPS)[number];

/** From the acceptance of a change to the first search that shows it and nothing older, ms. */
export interface StepResult {
  readonly step: FreshnessStep;
  readonly rounds: number;
  /** Rounds in which the change did not show within the time limit. */
  readonly missed: number;
  /** Over the rounds that were not missed; NaN where all were. */
  readonly minMs: number;
  readonly medianMs: number;
  readonly maxMs: number;
}

export interface FreshnessReport {
  readonly source: string;
  /** A time is longer than the truth by at most this and a search, ms. */
  readonly pollMs: number;
  readonly limitMs: number;
  readonly steps: readonly StepResult[];
}

export interface FreshnessProbeOptions {
  readonly target: ProbeTarget;
  readonly caller: ProbeCaller;
  readonly rounds: number;
  readonly limitMs: number;
}

/** Short beside what is measured, long enough not to be the load, ms. */
const POLL_MS = 10;

/**
 * Writes a canary, changes it and deletes it, round after round, and asks until each change shows: the new text is found and, after an
 * update or a delete, the old text by no search. Takes every canary back, also when it fails.
 * @throws ServerUnreachable, ServerRefused.
 */
export async function probeFreshness(options: FreshnessProbeOptions, signal: AbortSignal): Promise<FreshnessReport> {
  const { target, rounds, limitMs } = options;
  const took: Record<FreshnessStep, number[]> = { insert: [], update: [], delete: [] };
  for (let round = 0; round < rounds; round++) {
    const key = canaryWord(target.random);
    const [first, second] = [canaryWord(target.random), canaryWord(target.random)];
    const steps = [
      { step: 'insert', write: canaryOf(key, first, options.caller), shown: first, gone: undefined },
      { step: 'update', write: canaryOf(key, second, options.caller), shown: second, gone: first },
      { step: 'delete', write: { key }, shown: undefined, gone: second },
    ] as const;
    let version = 0;
    try {
      for (const { step, write, shown, gone } of steps) {
        await writeCanary(write, ++version, target, signal);
        const ms = await untilShown(canaryId(target.source, key), shown, gone, options, signal);
        if (ms !== undefined) took[step].push(ms);
      }
    } finally {
      if (version < steps.length) await writeCanary({ key }, steps.length, target, signal).catch(() => undefined);
    }
  }
  return {
    source: target.source,
    pollMs: POLL_MS,
    limitMs,
    steps: FRESHNESS_STEPS.map((step) => resultOf(step, rounds, took[step])),
  };
}

function canaryOf(key: string, word: string, { tenant }: ProbeCaller): Canary {
  return { key, title: 'A canary of the freshness probe', body: `This canary says ${word}.`, tenant, acl: null };
}

/** @returns how long it took, ms; undefined past the limit. */
async function untilShown(
  id: string,
  shown: string | undefined,
  gone: string | undefined,
  { target, caller, limitMs }: FreshnessProbeOptions,
  signal: AbortSignal,
): Promise<number | undefined> {
  const { clock } = target;
  const began = clock.monotonicMs();
  const finds = async (word: string | undefined) =>
    word !== undefined && (await textsFound(word, id, target, caller, signal)).some((text) => text.includes(word));
  for (;;) {
    const isShown = shown === undefined || (await finds(shown));
    if (isShown && !(await finds(gone))) return clock.monotonicMs() - began;
    if (clock.monotonicMs() - began > limitMs) return undefined;
    await clock.sleep(POLL_MS, signal);
  }
}

/** Texts of the canary's passages that a search for the word finds. */
async function textsFound(
  word: string,
  id: string,
  target: ProbeTarget,
  { headers }: ProbeCaller,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const body = JSON.stringify({ query: word, mode: 'lexical', k: 8 });
  const reply = await send('POST', '/v1/search', { headers, body }, target, signal);
  // Not ready, or overloaded: the change does not show, which is what is measured.
  if (reply.status !== 200) return [];
  const { results } = JSON.parse(reply.body) as { results: readonly { documentId: string; text: string }[] };
  return results.filter(({ documentId }) => documentId === id).map(({ text }) => text);
}

function resultOf(step: FreshnessStep, rounds: number, took: readonly number[]): StepResult {
  const sorted = took.toSorted((a, b) => a - b);
  return {
    step,
    rounds,
    missed: rounds - took.length,
    minMs: sorted[0] ?? Number.NaN,
    medianMs: quantile(sorted, 0.5),
    maxMs: sorted.at(-1) ?? Number.NaN,
  };
}
