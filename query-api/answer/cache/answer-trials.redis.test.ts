import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { openRedisCache } from '../../../ports/cache/redis-cache.ts';
import { openSqliteDocumentStore } from '../../../ports/document-store/sqlite-document-store.ts';
import { hashEmbedder } from '../../../ports/embedder/hash-embedder.ts';
import { systemClock, systemRandom } from '../../../runtime/clock.ts';
import { silentLogger } from '../../../runtime/logger.ts';
import { seededRandom } from '../../../runtime/seeded-random.ts';
import { runAnswerTrials } from '../../../test/support/answer-trials.ts';

const url = process.env['REDIS_TEST_URL'] ?? '';
if (!url) throw new Error('REDIS_TEST_URL is not set: run npm run engines first');

const TRIALS = Number(process.env['TRIALS'] ?? 2_000);

test('no answer in Redis is given again after its evidence has changed', { timeout: 900_000 }, async () => {
  const clock = systemClock;
  const { dimensions } = hashEmbedder().model;
  await using store = openSqliteDocumentStore({ path: ':memory:', dimensions, clock });
  await using cache = await openRedisCache({
    url,
    prefix: `test-${randomUUID()}/`,
    timeoutMs: 5_000,
    maxAgeMs: 600_000,
    clock,
    random: systemRandom,
    logger: silentLogger,
  });
  const tally = await runAnswerTrials(TRIALS, { store, cache, clock, random: seededRandom(16) });
  expect(tally).toMatchObject({ asks: TRIALS, stale: 0, forbidden: 0, leftBehind: 0 });
  expect(tally.hits).toBeGreaterThan(TRIALS / 10);
});
