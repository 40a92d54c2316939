import { describe, expect, it } from 'vitest';
import type { CommitOffset, LogReader, LogRecord, Offset, PartitionPlace } from '../ports/log/log.ts';
import { RecordsLost, StorageFailed, StoreUnavailable } from '../runtime/errors.ts';
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

/** A batch, an error of the log, or a wait. */
type Step = readonly LogRecord[] | Error | Promise<void>;

/** A reader that plays back what a test gives it, and ends. */
class ScriptedReader implements LogReader {
  readonly committed: CommitOffset[] = [];
  readonly rewound: PartitionPlace[] = [];
  readonly script: Step[];

  constructor(script: Step[]) {
    this.script = script;
  }

  async *batches(): AsyncGenerator<readonly LogRecord[]> {
    for (let step = this.script.shift(); step; step = this.script.shift()) {
      if (step instanceof Error) throw step;
      if (step instanceof Promise) await step;
      else yield step;
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

function aWorker(
  reader: ScriptedReader,
  endingOf: (record: LogRecord) => Ending,
  claimOf?: (record: LogRecord) => Promise<void>,
) {
  const log = Object.assign(new MemoryLog(), { subscribe: () => reader });
  const clock = new FakeClock();
  const ports = { log, clock, logger: silentLogger, metrics: createMetrics() };
  const flow: Flow = {
    stages: [],
    process: async (records, { later }) => {
      for (const record of records) if (claimOf) later(() => claimOf(record));
      return records.map(endingOf);
    },
  };
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

  it('makes up for what retention took, and only then goes on where that says', async () => {
    const reader = new ScriptedReader([lost, [aRecord(0, 7)]]);
    const { options } = aWorker(reader, indexed);
    const seen: unknown[] = [];
    const makeUp = async (error: RecordsLost): Promise<Offset> => {
      seen.push(error, ...reader.committed);
      return 7n as Offset;
    };
    await runWorker({ ...options, makeUp }, signal);
    expect(seen).toEqual([lost]);
    expect(reader.committed.map(({ next }) => next)).toEqual([7n, 8n]);
  });

  it('ends when retention took records and nobody can make up for them', async () => {
    const reader = new ScriptedReader([lost, [aRecord(0, 5)]]);
    await expect(runWorker(aWorker(reader, indexed).options, signal)).rejects.toBe(lost);
    expect(reader.committed).toEqual([]);
  });
});

function aGate(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
}

describe('what a batch claims', () => {
  const stop = new StorageFailed('The disk is full.');

  it('holds back its offsets and those behind it, but not the work on what follows (I12)', async () => {
    const gate = aGate();
    const worked: bigint[] = [];
    const reader = new ScriptedReader([[aRecord(0, 1)], [aRecord(0, 2)], gate.promise, [aRecord(0, 3)]]);
    const ending = (record: LogRecord): Ending => {
      worked.push(record.offset);
      return indexed();
    };
    const claims = new Map([[1n, gate.promise]]);
    const { options } = aWorker(reader, ending, ({ offset }) => claims.get(offset) ?? Promise.resolve());
    const running = runWorker(options, signal);
    await new Promise(setImmediate);
    expect([worked, reader.committed]).toEqual([[1n, 2n], []]);
    gate.resolve();
    await running;
    expect(reader.committed.map(({ next }) => next)).toEqual([2n, 3n, 4n]);
  });

  it('is tried again until it is durable', async () => {
    const gate = aGate();
    const reader = new ScriptedReader([[aRecord(0, 1)], gate.promise]);
    let tries = 0;
    const claim = async (): Promise<void> => {
      if (++tries < 3) throw new StoreUnavailable('not now');
      gate.resolve();
    };
    const { options, clock } = aWorker(reader, indexed, claim);
    const running = runWorker(options, signal);
    await clock.advance(1_000);
    await running;
    expect([tries, reader.committed.length]).toEqual([3, 1]);
  });

  it('ends the worker with its error where waiting does not help, and nothing is committed', async () => {
    const reader = new ScriptedReader([[aRecord(0, 1)], [aRecord(0, 2)]]);
    const { options } = aWorker(reader, indexed, () => Promise.reject(stop));
    await expect(runWorker(options, signal)).rejects.toBe(stop);
    expect(reader.committed).toEqual([]);
  });
});
