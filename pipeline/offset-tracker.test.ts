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
  expect(nextOffsets(batch)).toEqual([
    { topic: 'a', partition: 0, next: 8n },
    { topic: 'a', partition: 1, next: 10n },
    { topic: 'b', partition: 0, next: 3n },
  ]);
});
