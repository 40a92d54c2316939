import { beforeEach, describe, expect, it } from 'vitest';
import type { Offset, PartitionState } from '../../ports/log/log.ts';
import { aRecord, never } from '../../test/support/builders.ts';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { MemoryLog } from '../../test/support/memory-log.ts';
import { WaitingHalves } from './waiting-halves.ts';

const half = aRecord({ topic: 'rows', partition: 0, offset: 7 });

let clock: FakeClock;
let committed: bigint;
let next: bigint;
let halves: WaitingHalves;

beforeEach(() => {
  clock = new FakeClock();
  [committed, next] = [10n, 1_000n];
  const state = (partition: number, at: bigint): PartitionState => ({
    topic: 'rows',
    partition,
    earliest: 0n as Offset,
    next: next as Offset,
    groups: { prepare: at as Offset },
    bytes: 0,
  });
  const describe = async (): Promise<PartitionState[]> => [state(0, 7n), state(1, committed)];
  halves = new WaitingHalves({ log: Object.assign(new MemoryLog(), { describe }), clock, group: 'prepare' });
});

/** Whether the half still waits after so long; meanwhile the other partition has come to `at`. */
async function waits(seconds: number, at = committed): Promise<boolean> {
  await clock.advance(1_000 * seconds);
  committed = at;
  await halves.look(never);
  return halves.mustWait(half);
}

describe('the second half of a key change', () => {
  it('waits as long as the other partition moves and has not passed where the first half must be', async () => {
    expect(await waits(0)).toBe(true);
    for (let at = 100n; at < 1_000n; at += 100n) expect(await waits(60, at)).toBe(true);
    next = 5_000n; // what came since does not count
    expect(await waits(60, 1_000n)).toBe(false);
  });

  it('gives up when the other partition stands still', async () => {
    expect(await waits(0)).toBe(true);
    expect(await waits(60)).toBe(true);
    expect(await waits(60)).toBe(true);
    expect(await waits(61)).toBe(false);
  });

  it('waits a while also when the others have passed: what they wrote may be on its way', async () => {
    committed = next;
    expect(await waits(0)).toBe(true);
    expect(await waits(20)).toBe(true);
    expect(await waits(11)).toBe(false);
  });

  it('begins anew when it is read again after it had ended', async () => {
    committed = next;
    expect(await waits(0)).toBe(true);
    expect(await waits(31)).toBe(false);
    halves.end(half);
    expect(await waits(0)).toBe(true);
  });
});
