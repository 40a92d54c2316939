import { readFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { systemClock } from '../runtime/clock.ts';

/** What a figure must be to reach its goal. */
export interface Goal {
  readonly atLeast?: number;
  readonly atMost?: number;
  /** Where it stands: `G3` of the goals, `C2` of the spec. */
  readonly from: string;
}

/** One figure of a scenario, with one value for each interleaved run. */
export interface Figure {
  readonly name: string;
  readonly unit: string;
  readonly values: readonly number[];
  readonly goal?: Goal;
}

/** What a scenario found. */
export interface Findings {
  readonly figures: readonly Figure[];
  /** What a reader must know to judge the figures: sizes, what was simulated, what was left out. */
  readonly notes: readonly string[];
}

export interface ScenarioOptions {
  /** Interleaved runs. */
  readonly rounds: number;
  /** Small sizes, to see that it works; its figures mean nothing. */
  readonly quick: boolean;
  readonly say: (line: string) => void;
}

/** One question to the product on real engines. */
export interface Scenario {
  readonly name: string;
  readonly question: string;
  run(options: ScenarioOptions): Promise<Findings>;
}

/** Collects the values of figures over rounds, in order of first mention. */
export class Figures {
  readonly #figures = new Map<string, { unit: string; values: number[]; goal: Goal | undefined }>();

  add(name: string, unit: string, value: number, goal?: Goal): void {
    const figure = this.#figures.get(name) ?? { unit, values: [], goal };
    figure.values.push(value);
    this.#figures.set(name, figure);
  }

  get all(): readonly Figure[] {
    return Array.from(this.#figures, ([name, { unit, values, goal }]) => ({
      name,
      unit,
      values,
      ...(goal && { goal }),
    }));
  }
}

/** The value below which a share of the sorted values lies; NaN of none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** Minimum, median and maximum. */
export function spread(values: readonly number[]): readonly [number, number, number] {
  return [Math.min(...values), median(values), Math.max(...values)];
}

/** Whether the median reaches the goal; undefined without one. */
export function reaches({ values, goal }: Figure): boolean | undefined {
  if (!goal) return undefined;
  const { atLeast = Number.NEGATIVE_INFINITY, atMost = Number.POSITIVE_INFINITY } = goal;
  return median(values) >= atLeast && median(values) <= atMost;
}

/** Seconds that `work` took. */
export async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const begun = systemClock.monotonicMs();
  await work();
  return (systemClock.monotonicMs() - begun) / 1000;
}

/** CPU seconds of this process that `work` took. */
export function cpuSecondsHere(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

/** CPU seconds of a running process so far; 0 where there is no /proc. */
export function cpuSecondsOf(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return 0;
  }
}

/** Memory of a running process now and at most, MB; 0 where there is no /proc. */
export function rssMbOf(pid: number): { readonly now: number; readonly peak: number } {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const kilobytes = (field: string): number => Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0);
    return { now: kilobytes('VmRSS') / 1_024, peak: kilobytes('VmHWM') / 1_024 };
  } catch {
    return { now: 0, peak: 0 };
  }
}

/** Load of the machine over the last minute. */
export function load(): number {
  return loadavg()[0] ?? 0;
}

/** Runs `work` on `count` lanes at once, each taking the next number until `total` is reached. */
export async function onLanes(count: number, total: number, work: (n: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let n = next++; n < total; n = next++) await work(n);
  };
  await Promise.all(Array.from({ length: count }, lane));
}

/** Waits until `holds` says so. @throws Error after `timeoutMs`, with what it was. */
export async function until(
  what: string,
  timeoutMs: number,
  holds: () => Promise<boolean>,
  everyMs = 50,
): Promise<void> {
  const deadline = systemClock.monotonicMs() + timeoutMs;
  while (!(await holds())) {
    if (systemClock.monotonicMs() > deadline) throw new Error(`${what}: not within ${timeoutMs} ms`);
    await systemClock.sleep(everyMs);
  }
}
