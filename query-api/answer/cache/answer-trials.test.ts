import { expect, test } from 'vitest';
import { memoryCache } from '../../../ports/cache/memory-cache.ts';
import { openSqliteDocumentStore } from '../../../ports/document-store/sqlite-document-store.ts';
import { hashEmbedder } from '../../../ports/embedder/hash-embedder.ts';
import { systemClock } from '../../../runtime/clock.ts';
import { seededRandom } from '../../../runtime/seeded-random.ts';
import { runAnswerTrials } from '../../../test/support/answer-trials.ts';

const TRIALS = Number(process.env['TRIALS'] ?? 10_000);

test(
  'no answer is given again after a document of its evidence was changed, deleted, revoked or outranked',
  { timeout: 600_000 },
  async () => {
    const clock = systemClock;
    const { dimensions } = hashEmbedder().model;
    await using store = openSqliteDocumentStore({ path: ':memory:', dimensions, clock });
    await using cache = memoryCache({ maxBytes: 1_048_576, clock });
    const tally = await runAnswerTrials(TRIALS, { store, cache, clock, random: seededRandom(15) });
    expect(tally).toMatchObject({ asks: TRIALS, stale: 0, forbidden: 0, leftBehind: 0 });
    // Enough of both, or nothing was tried.
    expect(tally.hits).toBeGreaterThan(TRIALS / 10);
    expect(tally.answered - tally.hits).toBeGreaterThan(TRIALS / 10);
  },
);
