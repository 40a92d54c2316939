import { describe, expect, it } from 'vitest';
import type { CommitOffset, LogReader, LogRecord, Offset, PartitionPlace } from '../ports/log/log.ts';
import { RecordsLost } from '../runtime/errors.ts';
import { silentLogger } from '../runtime/logger.ts';
import { createMetrics } from '../runtime/metrics.ts';
import { FakeClock } from '../test/support/fake-clock.ts';
import { MemoryLog } from '../test/support/memory-log.ts';
import { deadLettersIn } from './dead-letters.ts';
import type { Ending, Flow } from './flow.ts';
import { runWorker } from './worker.ts';

const aRecord = (partition: number, offset: number): LogRecord => ({
  topic: 'events',
  partition,
  offset: BigInt(offset) as Offset,
  key: 'key',
  value: new Uint8Array(1),
  headers: {},
  timestamp: 0,
});

/** A reader that plays back what a test gives it: batches, or errors of the log. */
class ScriptedReader implements LogReader {
  readonly committed: CommitOffset[] = [];
  readonly rewound: PartitionPlace[] = [];
  readonly script: (readonly LogRecord[] | Error)[];

  constructor(script: (readonly LogRecord[] | Error)[]) {
    this.script = script;
  }

  async *batches(): AsyncGenerator<readonly LogRecord[]> {
    for (let step = this.script.shift(); step; step = this.script.shift()) {
      if (step instanceof Error) throw step;
      yield step;
    }
  }

  async commit(offsets: readonly CommitOffset[]): Promise<void> {
    this.committed.push(...offsets);
  }

  rewind(partitions: readonly PartitionPlace[]): void {
    for (const { topic, partition } of partitions) this.rewound.push({ topic, partition });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // nothing to leave
  }
}

function aWorker(reader: ScriptedReader, endingOf: (record: LogRecord) => Ending) {
  const log = Object.assign(new MemoryLog(), { subscribe: () => reader });
  const clock = new FakeClock();
  const ports = { log, clock, logger: silentLogger, metrics: createMetrics() };
  const flow: Flow = { stages: [], process: async (records) => records.map(endingOf) };
  const limits = { maxBatchRecords: 10, maxBatchBytes: 1_000, attempts: 3 };
  return {
    clock,
    options: {
      ...ports,
      ...limits,
      group: 'group',
      topics: ['events'],
      flow,
      deadLetters: deadLettersIn(ports),
      random: () => 0,
    },
  };
}

const { signal } = new AbortController();
const indexed = (): Ending => ({ kind: 'indexed' });
const lost = new RecordsLost({ group: 'group', topic: 'events', partition: 0, from: 2n, next: 5n });

describe('a worker', () => {
  it('reads a blocked partition again and commits the others', async () => {
    const reader = new ScriptedReader([[aRecord(0, 3), aRecord(1, 7), aRecord(0, 4)]]);
    const { options } = aWorker(reader, ({ partition }) => (partition === 0 ? { kind: 'blocked' } : indexed()));
    await runWorker(options, signal);
    expect(reader.committed).toEqual([{ topic: 'events', partition: 1, next: 8n }]);
    expect(new Set(reader.rewound.map(({ partition }) => partition))).toEqual(new Set([0]));
  });

  it('waits a little before it tries again when nothing of a batch could go on', async () => {
    const reader = new ScriptedReader([[aRecord(0, 3)], [aRecord(0, 3)]]);
    let tries = 0;
    const { options, clock } = aWorker(reader, () => (tries++ === 0 ? { kind: 'blocked' } : indexed()));
    const running = runWorker(options, signal);
    await clock.advance(0);
    expect([tries, clock.sleeping]).toEqual([1, 1]);
    await clock.advance(1_000);
    await running;
    expect(reader.committed).toEqual([{ topic: 'events', partition: 0, next: 4n }]);
  });

  it('has a source read anew when retention took its records, and only then goes on behind the gap', async () => {
    const reader = new ScriptedReader([lost, [aRecord(0, 5)]]);
    const { options } = aWorker(reader, indexed);
    const seen: unknown[] = [];
    await runWorker({ ...options, onRecordsLost: async (error) => void seen.push(error, ...reader.committed) }, signal);
    expect(seen).toEqual([lost]);
    expect(reader.committed.map(({ next }) => next)).toEqual([5n, 6n]);
  });

  it('ends when retention took records and nobody can have them read anew', async () => {
    const reader = new ScriptedReader([lost, [aRecord(0, 5)]]);
    await expect(runWorker(aWorker(reader, indexed).options, signal)).rejects.toBe(lost);
    expect(reader.committed).toEqual([]);
  });
});
