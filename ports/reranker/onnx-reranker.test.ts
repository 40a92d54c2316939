import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { systemClock as clock } from '../../runtime/clock.ts';
import { silentLogger as logger } from '../../runtime/logger.ts';
import { onnxWorkerUrl } from '../onnx/start-worker.ts';
import { openOnnxReranker } from './onnx-reranker.ts';
import { rerankerConformance } from './reranker.conformance.ts';

const built = existsSync(onnxWorkerUrl);
const open = () => openOnnxReranker({ threads: 2, clock, logger });
const signal = new AbortController().signal;

describe.skipIf(!built)('with the compiled worker (skipped until `npm run build` has run)', () => {
  rerankerConformance('onnx', open);

  test('gives the logits of the reference implementation', async () => {
    await using reranker = await open();
    const texts = [
      'You can return a bicycle within 30 days after delivery. The refund arrives five days after the return.',
      'reply.send sends the payload to the user.',
    ];
    const [answer, other] = await reranker.score(
      { query: 'How long do I have to send a bike back?', texts, timeoutMs: 30_000 },
      signal,
    );
    // The same file through onnxruntime and tokenizers in Python.
    expect(answer).toBeCloseTo(7.584, 2);
    expect(other).toBeCloseTo(-11.155, 2);
  });

  test('says so when the time does not suffice, and serves the next', async () => {
    await using reranker = await open();
    const texts = Array.from({ length: 200 }, (_, i) => `${'A long list of dishes. '.repeat(100)}${i}`);
    await expect(reranker.score({ query: 'late', texts, timeoutMs: 50 }, signal)).rejects.toMatchObject({
      code: 'FRESHET_RERANKER_UNAVAILABLE',
      failure: 'timeout',
    });
    expect(await reranker.score({ query: 'next', texts: ['one'], timeoutMs: 30_000 }, signal)).toHaveLength(1);
  });
});
