import { describe, expect, test } from 'vitest';
import type { LogRecord } from '../ports/log/log.ts';
import { systemClock } from '../runtime/clock.ts';
import { MappingFailed } from '../runtime/errors.ts';
import { aRecord, never } from '../test/support/builders.ts';
import { from, type Ending, type FlowRun } from './flow.ts';
import { drop, emit, reject, type Sink, type Stage, type Verdict, type Written } from './stage.ts';

const byKey: Stage<LogRecord, string> = {
  name: 'by-key',
  run: (records) =>
    Promise.resolve(
      records.map(({ key }): Verdict<string> => {
        if (key === 'drop') return drop('duplicate');
        if (key === 'reject') return reject(new MappingFailed('no'));
        return key === 'two' ? emit('two-a', 'two-b') : emit(key);
      }),
    ),
};

function sink(result: (value: string) => Written, seen: string[] = []): Sink<string> {
  return {
    name: 'sink',
    write: (values) => {
      seen.push(...values);
      return Promise.resolve(values.map(result));
    },
  };
}

const aRun: FlowRun = { signal: never, clock: systemClock, observe: () => undefined, later: () => undefined };
const indexed: Written = { kind: 'written', outcome: 'indexed' };

function process(
  into: Sink<string>,
  keys: readonly string[],
  counted = new Map<string, ReadonlyMap<string, number>>(),
): Promise<readonly Ending[]> {
  return from(byKey)
    .into(into)
    .process(
      keys.map((key) => aRecord({ key })),
      { ...aRun, observe: (stage, outcomes) => void counted.set(stage, outcomes) },
    );
}

describe('flow', () => {
  test('every record ends exactly once, in the order of the batch (I9)', async () => {
    const endings = await process(
      sink(() => indexed),
      ['plain', 'drop', 'reject', 'two'],
    );
    expect(endings).toMatchObject([
      { kind: 'indexed' },
      { kind: 'dropped', stage: 'by-key', reason: 'duplicate' },
      { kind: 'rejected', stage: 'by-key' },
      { kind: 'indexed' },
    ]);
  });

  test('a record of which one value is refused is rejected as a whole', async () => {
    const endings = await process(
      sink((value) => (value === 'two-b' ? reject(new MappingFailed('no')) : indexed)),
      ['two'],
    );
    expect(endings).toMatchObject([{ kind: 'rejected', stage: 'sink' }]);
  });

  test('a record whose every value is superseded counts as superseded', async () => {
    const endings = await process(
      sink(() => ({ kind: 'written', outcome: 'superseded' })),
      ['two'],
    );
    expect(endings).toEqual([{ kind: 'dropped', stage: 'sink', reason: 'superseded' }]);
  });

  test('outcomes of every stage are counted', async () => {
    const counted = new Map<string, ReadonlyMap<string, number>>();
    await process(
      sink(() => indexed),
      ['plain', 'drop', 'two'],
      counted,
    );
    expect(Object.fromEntries(counted.get('by-key') ?? [])).toEqual({ emitted: 2, duplicate: 1 });
    expect(Object.fromEntries(counted.get('sink') ?? [])).toEqual({ indexed: 3 });
  });

  test('a stage that loses a value is found out', async () => {
    const lossy: Stage<LogRecord, string> = { name: 'lossy', run: () => Promise.resolve([]) };
    await expect(
      from(lossy)
        .into(sink(() => indexed))
        .process([aRecord()], aRun),
    ).rejects.toThrow('lossy gave 0 verdicts for 1 values');
  });
});
