import { beforeEach, describe, expect, it } from 'vitest';
import type { Offset, PartitionState } from '../../ports/log/log.ts';
import { BACKFILL_HEADER, DOCUMENTS_TOPIC, VERSION_HEADER } from '../../schemas/topics.ts';
import { sourceVersion } from '../../schemas/version.ts';
import { aRecord, never } from '../../test/support/builders.ts';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { MemoryLog } from '../../test/support/memory-log.ts';
import type { Stage } from '../stage.ts';
import { Blocked } from '../stage.ts';
import { paceBackfill } from './pace-backfill.ts';

const aRow = aRecord({ headers: { [VERSION_HEADER]: sourceVersion(3, 0n).toString() } });
const aChange = aRecord({ headers: { [VERSION_HEADER]: sourceVersion(3, 77n).toString() } });

let clock: FakeClock;
let groups: Record<string, Offset>;
let next: Offset;
let stage: Stage<ReturnType<typeof aRecord>, ReturnType<typeof aRecord>>;

beforeEach(() => {
  clock = new FakeClock();
  groups = {};
  next = 0n as Offset;
  const describe = async (): Promise<PartitionState[]> => [
    { topic: DOCUMENTS_TOPIC, partition: 0, earliest: 0n as Offset, next, groups, bytes: 0 },
  ];
  const log = Object.assign(new MemoryLog(), { describe });
  stage = paceBackfill({ log, clock, indexGroup: 'freshet-index' });
});

/** Whether the rows of a batch may pass now, with so many documents in front of the index. */
async function mayPass(written: number, indexed: number): Promise<boolean> {
  await clock.advance(1_000);
  next = BigInt(written) as Offset;
  groups = { 'freshet-index-a': BigInt(indexed) as Offset };
  return stage.run([aRow], never).then(
    () => true,
    (error: unknown) => {
      expect(error).toBeInstanceOf(Blocked);
      return false;
    },
  );
}

describe('rows of a backfill', () => {
  it('wait while the index has more in front of it than it does in a second or two', async () => {
    expect(await mayPass(500, 0)).toBe(true);
    expect(await mayPass(5_000, 100)).toBe(false);
    expect(await mayPass(5_000, 4_900)).toBe(true);
  });

  it('may be further ahead of a faster index', async () => {
    for (let done = 0; done < 40_000; done += 2_000) await mayPass(done + 100, done);
    expect(await mayPass(41_500, 40_000)).toBe(true);
    expect(await mayPass(50_000, 42_000)).toBe(false);
  });

  it('pass when no index is filled, or the one that was is away: changes are kept for a time only', async () => {
    next = 100_000n as Offset;
    expect(await stage.run([aRow], never)).toHaveLength(1);
    for (let second = 0; second < 20; second++) expect(await mayPass(100_000, 100)).toBe(false);
    for (let second = 0; second < 20; second++) await mayPass(100_000, 100);
    expect(await mayPass(100_000, 100)).toBe(true);
  });

  it('are told from changes, by their version or by what Kafka Connect stamps', async () => {
    await mayPass(0, 0);
    await clock.advance(1_000);
    next = 100_000n as Offset;
    expect(await stage.run([aChange, aRecord({ headers: {} })], never)).toHaveLength(2);
    await expect(stage.run([aChange, aRow], never)).rejects.toMatchObject({ index: 1 });
    await expect(stage.run([aRecord({ headers: { [BACKFILL_HEADER]: '1' } })], never)).rejects.toMatchObject({
      index: 0,
    });
  });

  it('wait for the index that is furthest: one that was left behind holds nothing up', async () => {
    await mayPass(1_000, 900);
    groups['freshet-index-old'] = 0n as Offset;
    expect(await mayPass(20_000, 19_900)).toBe(true);
  });
});
