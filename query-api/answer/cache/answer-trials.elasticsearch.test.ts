import { randomUUID } from 'node:crypto';
import { afterAll, expect, test } from 'vitest';
import { openRedisCache } from '../../../ports/cache/redis-cache.ts';
import { TestGenerations } from '../../../ports/document-store/elasticsearch-fixtures.ts';
import { hashEmbedder } from '../../../ports/embedder/hash-embedder.ts';
import { systemClock, systemRandom } from '../../../runtime/clock.ts';
import { silentLogger } from '../../../runtime/logger.ts';
import { seededRandom } from '../../../runtime/seeded-random.ts';
import { runAnswerTrials } from '../../../test/support/answer-trials.ts';

const url = process.env['REDIS_TEST_URL'] ?? '';
if (!url) throw new Error('REDIS_TEST_URL is not set: run npm run engines first');

const generations = new TestGenerations(process.env['ELASTICSEARCH_TEST_URL']);
afterAll(() => generations.clear());

const TRIALS = Number(process.env['TRIALS'] ?? 2_000);

test(
  'no answer in Redis is given again after its evidence has changed in Elasticsearch',
  { timeout: 900_000 },
  async () => {
    const clock = systemClock;
    const { dimensions } = hashEmbedder().model;
    const store = await generations.open({ dimensions, clock });
    await using cache = await openRedisCache({
      url,
      prefix: `test-${randomUUID()}/`,
      timeoutMs: 5_000,
      maxAgeMs: 600_000,
      clock,
      random: systemRandom,
      logger: silentLogger,
    });
    const tally = await runAnswerTrials(TRIALS, { store, cache, clock, random: seededRandom(17) });
    expect(tally).toMatchObject({ asks: TRIALS, stale: 0, forbidden: 0, leftBehind: 0 });
    generations.retire(store);
    expect(tally.hits).toBeGreaterThan(TRIALS / 10);
  },
);
