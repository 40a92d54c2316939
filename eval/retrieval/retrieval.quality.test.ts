import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { systemClock } from '../../runtime/clock.ts';
import { parseConfig } from '../../runtime/config/load-config.ts';
import { HOOK_SECRET } from '../../test/support/product.ts';
import { runRetrievalSuite } from './retrieval-suite.ts';

const EVAL = fileURLToPath(new URL('../../../shared/data/eval', import.meta.url));
/** Less than the floor by this is a setting that broke something, not chance: model, data and intervals are the same at every run. */
const SLACK = 0.01;

describe.skipIf(!existsSync(`${EVAL}/adi/corpus.jsonl`))('retrieval (needs shared/data/eval)', () => {
  test('the smallest set is found as well as by a plain baseline, with the settings that the product ships with', async () => {
    const sources = [
      { name: 'eval', kind: 'webhook', signature: { scheme: 'standard-webhooks', secret: HOOK_SECRET } },
    ];
    const { sets } = await runRetrievalSuite(
      {
        dataRoot: EVAL,
        sets: ['adi'],
        vectorFile: ':memory:',
        config: parseConfig(JSON.stringify({ sources }), {}, 'eval'),
        clock: systemClock,
        say: () => undefined,
      },
      new AbortController().signal,
    );
    const found = Object.fromEntries(sets[0]!.legs.map(({ leg, ndcg10 }) => [leg, ndcg10.mean]));
    const { lexical, hybrid } = sets[0]!.floors;
    expect(found['lexical']).toBeGreaterThan(lexical!.ndcg10 - SLACK);
    expect(found['hybrid']).toBeGreaterThan(hybrid!.ndcg10 - SLACK);
    expect(found['hybrid']).toBeGreaterThan(Math.max(found['lexical']!, found['dense']!));
  });
});
