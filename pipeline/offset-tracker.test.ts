import { expect, test } from 'vitest';
import { aRecord } from '../test/support/builders.ts';
import { nextOffsets } from './offset-tracker.ts';

test('every partition of a batch is committed, not only the last one (B14)', () => {
  const batch = [
    aRecord({ topic: 'a', partition: 0, offset: 4 }),
    aRecord({ topic: 'a', partition: 1, offset: 9 }),
    aRecord({ topic: 'b', partition: 0, offset: 2 }),
    aRecord({ topic: 'a', partition: 0, offset: 7 }),
  ];
  expect(
    nextOffsets(
      batch,
      batch.map(() => ({ kind: 'indexed' })),
    ),
  ).toEqual([
    { topic: 'a', partition: 0, next: 8n },
    { topic: 'a', partition: 1, next: 10n },
    { topic: 'b', partition: 0, next: 3n },
  ]);
});

test('a blocked record holds back what stands behind it in its own partition', () => {
  const batch = [
    aRecord({ partition: 0, offset: 4 }),
    aRecord({ partition: 1, offset: 9 }),
    aRecord({ partition: 0, offset: 5 }),
    aRecord({ partition: 0, offset: 6 }),
  ];
  const endings = [{ kind: 'indexed' }, { kind: 'indexed' }, { kind: 'blocked' }, { kind: 'indexed' }] as const;
  expect(nextOffsets(batch, endings).map(({ partition, next }) => [partition, next])).toEqual([
    [0, 5n],
    [1, 10n],
  ]);
});
