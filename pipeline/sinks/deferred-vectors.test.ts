import { expect, test } from 'vitest';
import { openSqliteLog } from '../../ports/log/sqlite-log.ts';
import type { DocumentId } from '../../schemas/ids.ts';
import type { SourceVersion } from '../../schemas/version.ts';
import { systemClock } from '../../runtime/clock.ts';
import { pipelineTopics } from '../topics.ts';
import { deferredQueue } from './deferred-vectors.ts';

const { signal } = new AbortController();

test('what a former owner of the partition has deferred is seen by the one that takes over', async () => {
  const clock = systemClock;
  await using log = openSqliteLog({ path: ':memory:', clock });
  await log.createTopics(pipelineTopics(1, 60_000));
  const successor = deferredQueue(log, clock);
  expect(await successor.mayBeBehind(signal)).toBe(false);
  const document = { id: 'docs/public.pages/1' as DocumentId, version: 1n as SourceVersion, partition: 0 };
  await deferredQueue(log, clock).append([document], [], signal);
  expect(await successor.mayBeBehind(signal)).toBe(true);
});
