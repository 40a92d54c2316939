import { afterAll, beforeAll, describe } from 'vitest';
import { systemClock } from '../../runtime/clock.ts';
import { silentLogger } from '../../runtime/logger.ts';
import { startTeiStub, type TeiStub } from '../../test/support/tei-stub.ts';
import { embedderConformance } from './embedder.conformance.ts';
import { openTeiEmbedder } from './tei-embedder.ts';

const parts = { clock: systemClock, random: () => 0.5, logger: silentLogger, timeoutMs: 10_000 };

describe('over a stub of text-embeddings-inference', () => {
  let stub: TeiStub;
  beforeAll(async () => {
    stub = await startTeiStub();
  });
  afterAll(() => stub[Symbol.asyncDispose]());

  embedderConformance('tei', () => openTeiEmbedder({ ...parts, url: stub.url, tokenizer: { kind: 'bge' } }));
});
