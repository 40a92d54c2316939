import type { Log, LogRecord, Offset } from '../../ports/log/log.ts';
import { nextOf } from '../../ports/log/partitions.ts';
import type { Clock } from '../../runtime/clock.ts';

export interface WaitingHalvesOptions {
  readonly log: Log;
  readonly clock: Clock;
  /** The group that reads the topics. */
  readonly group: string;
}

/** No second half gives up before, however far the others are, ms. */
const LEAST_WAIT_MS = 30_000;
/** Partitions that have not moved for so long will not bring the first half, ms. */
const STILL_MS = 120_000;
const LOOK_EVERY_MS = 500;

interface Wait {
  readonly topic: string;
  readonly partition: number;
  readonly sinceMs: number;
  /** By partition, where the topic ended when the least wait was over: the first half lies before. */
  ends?: ReadonlyMap<number, Offset>;
  /** Of the other partitions together. */
  committed: bigint;
  movedMs: number;
  isOver: boolean;
}

/**
 * Second halves of key changes that wait for the first, which comes through another partition. How long that takes says nothing: the
 * other partition may have a backfill in front of it. One waits in vain when all others have passed where the first half must be.
 */
export class WaitingHalves {
  readonly #options: WaitingHalvesOptions;
  readonly #waits = new Map<string, Wait>();
  #lookedMs = Number.NEGATIVE_INFINITY;

  constructor(options: WaitingHalvesOptions) {
    this.#options = options;
  }

  /** Looks how far the others are, where one has waited for long. */
  async look(signal: AbortSignal): Promise<void> {
    const { log, clock, group } = this.#options;
    const now = clock.monotonicMs();
    const overdue = [...this.#waits.values()].filter(({ sinceMs, isOver }) => !isOver && now - sinceMs > LEAST_WAIT_MS);
    if (overdue.length === 0 || now - this.#lookedMs < LOOK_EVERY_MS) return;
    this.#lookedMs = now;
    const states = await log.describe([...new Set(overdue.map(({ topic }) => topic))], signal);
    for (const wait of overdue) {
      const others = states
        .filter(({ topic, partition }) => topic === wait.topic && partition !== wait.partition)
        .map((state) => ({ partition: state.partition, next: state.next, at: nextOf(state, group) }));
      const ends = (wait.ends ??= new Map(others.map(({ partition, next }) => [partition, next])));
      const committed = others.reduce((sum, { at }) => sum + at, 0n);
      if (committed !== wait.committed) wait.movedMs = now;
      wait.committed = committed;
      wait.isOver =
        others.every(({ partition, at }) => at >= (ends.get(partition) ?? 0n)) || now - wait.movedMs > STILL_MS;
    }
  }

  /** Whether a second half whose first half is not there goes on waiting. */
  mustWait({ topic, partition, offset }: LogRecord): boolean {
    const now = this.#options.clock.monotonicMs();
    const place = placeOf(topic, partition, offset);
    const wait = this.#waits.get(place) ?? {
      topic,
      partition,
      sinceMs: now,
      committed: -1n,
      movedMs: now,
      isOver: false,
    };
    this.#waits.set(place, wait);
    return !wait.isOver;
  }

  /** A half waits no more. */
  end({ topic, partition, offset }: LogRecord): void {
    this.#waits.delete(placeOf(topic, partition, offset));
  }
}

function placeOf(topic: string, partition: number, offset: Offset): string {
  return `${topic}/${partition}/${offset}`;
}
