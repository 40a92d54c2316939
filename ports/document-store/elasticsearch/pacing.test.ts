import { describe, expect, it } from 'vitest';
import { BulkWindow, MIN_WINDOW_BYTES } from './bulk-window.ts';
import { Coalesced } from './coalesced.ts';
import { InTurn } from './in-turn.ts';
import { refreshDelayMs } from './refresher.ts';

const MB = 1_048_576;

describe('the window of bulk requests', () => {
  const window = () => new BulkWindow({ maxBytes: 8 * MB, targetMs: 1_000 });

  it('grows by a step with each full and quick request, up to the limit', () => {
    const bulk = window();
    bulk.taken(bulk.bytes, 10);
    expect(bulk.bytes).toBe(5 * MB);
    for (let i = 0; i < 9; i++) bulk.taken(bulk.bytes, 10);
    expect(bulk.bytes).toBe(8 * MB);
  });

  it('halves when it is refused, shrinks when it is slow, and keeps a least size', () => {
    const bulk = window();
    bulk.refused();
    expect(bulk.bytes).toBe(2 * MB);
    bulk.taken(bulk.bytes, 5_000);
    expect(bulk.bytes).toBe(1.5 * MB);
    for (let i = 0; i < 9; i++) bulk.refused();
    expect(bulk.bytes).toBe(MIN_WINDOW_BYTES);
  });

  it('learns nothing from a small request', () => {
    const bulk = window();
    bulk.taken(1_000, 10);
    expect(bulk.bytes).toBe(4 * MB);
  });
});

describe('a refresh', () => {
  it('begins at once when little was written and none was made just now', () => {
    expect(refreshDelayMs({ sinceStartMs: 50, tookMs: 5, bytesSince: 1_000 }, 1_000)).toBe(0);
  });

  it('waits for the interval in a backfill', () => {
    expect(refreshDelayMs({ sinceStartMs: 200, tookMs: 5, bytesSince: 50 * MB }, 1_000)).toBe(800);
    expect(refreshDelayMs({ sinceStartMs: 2_000, tookMs: 5, bytesSince: 50 * MB }, 1_000)).toBe(0);
  });

  it('takes a tenth of the time while changes come, and never waits longer than the interval', () => {
    expect(refreshDelayMs({ sinceStartMs: 100, tookMs: 50, bytesSince: 0 }, 1_000)).toBe(400);
    expect(refreshDelayMs({ sinceStartMs: 0, tookMs: 9_000, bytesSince: 0 }, 1_000)).toBe(1_000);
  });
});

describe('coalesced work', () => {
  it('is done once for all who ask while it runs, and begins after they asked', async () => {
    const ends: (() => void)[] = [];
    let runs = 0;
    const work = new Coalesced(async () => {
      const run = ++runs;
      await new Promise<void>((done) => ends.push(done));
      return run;
    });
    const first = work.run();
    const others = [work.run(), work.run(), work.run()];
    ends[0]!();
    expect(await first).toBe(1);
    await new Promise(setImmediate);
    ends[1]!();
    expect(await Promise.all(others)).toEqual([2, 2, 2]);
  });

  it('that failed is tried again for the next', async () => {
    let runs = 0;
    const work = new Coalesced(async () => {
      if (++runs === 1) throw new Error('once');
      return runs;
    });
    const first = work.run();
    const second = work.run();
    await expect(first).rejects.toThrow('once');
    expect(await second).toBe(2);
  });
});

describe('work in turn', () => {
  it('runs in order where it shares a key, and side by side where it does not', async () => {
    const turns = new InTurn<string>();
    const log: string[] = [];
    let release = (): void => undefined;
    const held = new Promise<void>((done) => (release = done));
    const first = turns.run(['a', 'b'], async () => {
      await held;
      log.push('first');
    });
    const second = turns.run(['b'], async () => void log.push('second'));
    await turns.run(['c'], async () => void log.push('beside'));
    release();
    await Promise.all([first, second]);
    expect(log).toEqual(['beside', 'first', 'second']);
  });
});
