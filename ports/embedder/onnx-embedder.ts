import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Logger } from '../../runtime/logger.ts';
import { CLS_TOKEN, MAX_POSITIONS, QUERY_PREFIX, SEP_TOKEN, readBgeSmall } from './bge-small.ts';
import type { Embedder } from './embedder.ts';
import { ModelThreads } from './model-threads.ts';
import type { OnnxWorkerOptions } from './onnx-worker.ts';
import type { WordPieceTokenizer } from './wordpiece.ts';

/** How many threads the model may use. */
export interface OnnxEmbedderOptions {
  /** Threads of the model, each with a copy of its weights; 0: one fewer than the cores, at least one. */
  readonly threads: number;
  readonly logger: Logger;
}

/** Compiled code runs the worker beside it; from the sources, in tests, it is the one that `npm run build` made: Node 20 reads no types. */
export const onnxWorkerUrl = import.meta.url.endsWith('.ts')
  ? new URL('../../dist/ports/embedder/onnx-worker.js', import.meta.url)
  : new URL('./onnx-worker.js', import.meta.url);

/**
 * Embeds with bge-small-en-v1.5 (int8 ONNX, in models/) in this process, off this thread. Returns before the model is loaded; the
 * first `embed` waits for it. A text longer than the model takes is cut at its last whole token.
 * @throws ModelMismatch when files of the model are missing or damaged.
 */
export async function openOnnxEmbedder({ threads, logger }: OnnxEmbedderOptions): Promise<Embedder> {
  const { model, tokenizer, modelPath, sha256 } = await readBgeSmall();
  const pool = new ModelThreads({
    threads: threads > 0 ? threads : availableParallelism() - 1,
    dimensions: model.dimensions,
    start: (first) => {
      const workerData: OnnxWorkerOptions = { modelPath, sha256: first ? sha256 : undefined };
      return new Worker(onnxWorkerUrl, { workerData, name: 'freshet-onnx' });
    },
    logger,
  });
  return {
    model,
    tokenizer,
    embed(texts, kind, signal) {
      const prefix = kind === 'query' ? QUERY_PREFIX : '';
      const tokensOf = (index: number): Uint32Array => modelTokens(tokenizer, prefix + (texts[index] ?? ''));
      return pool.run(texts.length, tokensOf, kind === 'query', signal);
    },
    [Symbol.asyncDispose]: () => pool[Symbol.asyncDispose](),
  };
}

/** Ids of a text as the model reads it: [CLS], the tokens that fit, [SEP]. */
function modelTokens(tokenizer: WordPieceTokenizer, text: string): Uint32Array {
  const ids = tokenizer.encode(text, MAX_POSITIONS - 2);
  const tokens = new Uint32Array(ids.length + 2);
  tokens[0] = CLS_TOKEN;
  tokens.set(ids, 1);
  tokens[ids.length + 1] = SEP_TOKEN;
  return tokens;
}
