import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../runtime/logger.ts';
import { embedderConformance } from './embedder.conformance.ts';
import { onnxWorkerUrl } from '../onnx/start-worker.ts';
import { openOnnxEmbedder } from './onnx-embedder.ts';

const built = existsSync(onnxWorkerUrl);
const open = () => openOnnxEmbedder({ threads: 2, logger: silentLogger });

describe.skipIf(!built)('with the compiled worker (skipped until `npm run build` has run)', () => {
  embedderConformance('onnx', open);

  it('embeds a query with the prefix that the model was trained with', async () => {
    await using embedder = await open();
    const text = 'when does the backup run';
    const [query] = await embedder.embed([text], 'query');
    const [prefixed, bare] = await embedder.embed(
      [`Represent this sentence for searching relevant passages: ${text}`, text],
      'passage',
    );
    expect(query).toEqual(prefixed);
    expect(query).not.toEqual(bare);
  });

  it('knows synonyms, which a lexical embedder does not', async () => {
    await using embedder = await open();
    const [question] = await embedder.embed(['How do I reset my password?'], 'query');
    const [answer, other] = await embedder.embed(
      ['Recover access to your account after forgetting the passphrase', 'Reset the oven to bake my bread'],
      'passage',
    );
    const dot = (a: Float32Array, b: Float32Array): number => a.reduce((sum, value, i) => sum + value * b[i]!, 0);
    expect(dot(question!, answer!)).toBeGreaterThan(dot(question!, other!));
  });
});
