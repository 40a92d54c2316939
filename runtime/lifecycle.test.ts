import { EventEmitter } from 'node:events';
import { describe, expect, test } from 'vitest';
import { systemClock, type Clock } from './clock.ts';
import { drain, listenForStop } from './lifecycle.ts';
import { silentLogger } from './logger.ts';

describe('a stop that is asked for', () => {
  test('the first signal aborts, the second stops at once', () => {
    const signals = new EventEmitter();
    let stops = 0;
    using stop = listenForStop(signals, () => stops++);
    signals.emit('SIGTERM');
    expect([stop.signal.aborted, stops]).toEqual([true, 0]);
    signals.emit('SIGINT');
    expect(stops).toBe(1);
  });

  test('nothing listens any more once it is disposed', () => {
    const signals = new EventEmitter();
    listenForStop(signals, () => undefined)[Symbol.dispose]();
    expect(signals.eventNames()).toEqual([]);
  });
});

describe('draining', () => {
  const elapsed: Clock = { ...systemClock, sleep: () => Promise.resolve() };
  const disposing = (work: () => Promise<void>): AsyncDisposable => ({ [Symbol.asyncDispose]: work });

  test('ends when everything is drained, and stops its timer', async () => {
    let timer: AbortSignal | undefined;
    const clock: Clock = {
      ...systemClock,
      sleep: (_ms, signal) => {
        timer = signal;
        return new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(new Error('stopped'))));
      },
    };
    expect(
      await drain(
        disposing(() => Promise.resolve()),
        1_000,
        clock,
        silentLogger,
      ),
    ).toBe('drained');
    expect(timer?.aborted).toBe(true);
  });

  test('gives up after its time', async () => {
    const never = disposing(() => new Promise(() => undefined));
    expect(await drain(never, 1_000, elapsed, silentLogger)).toBe('timed-out');
  });

  test('passes an error of the drain on', async () => {
    const clock: Clock = { ...systemClock, sleep: () => new Promise(() => undefined) };
    const failing = disposing(() => Promise.reject(new Error('disk full')));
    await expect(drain(failing, 1_000, clock, silentLogger)).rejects.toThrow('disk full');
  });
});
