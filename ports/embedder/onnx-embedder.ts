import { availableParallelism } from 'node:os';
import { EmbedderUnavailable } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/logger.ts';
import { ModelThreads } from '../onnx/model-threads.ts';
import { CLS_TOKEN, MAX_POSITIONS, SEP_TOKEN } from '../onnx/read-model.ts';
import { startWorker } from '../onnx/start-worker.ts';
import type { WordPieceTokenizer } from '../onnx/wordpiece.ts';
import { QUERY_PREFIX, readBgeSmall } from './bge-small.ts';
import { checkVector } from './check-vectors.ts';
import type { Embedder } from './embedder.ts';

/** How many threads the model may use. */
export interface OnnxEmbedderOptions {
  /** Threads of the model, each with a copy of its weights; 0: one fewer than the cores, at least one. */
  readonly threads: number;
  readonly logger: Logger;
}

/**
 * Embeds with bge-small-en-v1.5 (int8 ONNX, in models/) in this process, off this thread. Returns before the model is loaded; the
 * first `embed` waits for it. A text longer than the model takes is cut at its last whole token.
 * @throws ModelMismatch when files of the model are missing or damaged.
 */
export async function openOnnxEmbedder({ threads, logger }: OnnxEmbedderOptions): Promise<Embedder> {
  const bgeSmall = await readBgeSmall();
  const { model, tokenizer } = bgeSmall;
  const pool = new ModelThreads({
    what: 'embedding model',
    threads: threads > 0 ? threads : availableParallelism() - 1,
    check: (vector) => checkVector(vector, model.dimensions),
    unavailable: EmbedderUnavailable,
    start: (first) => startWorker(bgeSmall, 'unit-vector', first),
    logger,
  });
  return {
    model,
    tokenizer,
    embed(texts, kind, signal) {
      const prefix = kind === 'query' ? QUERY_PREFIX : '';
      const textOf = (index: number) => ({ tokens: modelTokens(tokenizer, prefix + (texts[index] ?? '')) });
      return pool.run(texts.length, textOf, kind === 'query', signal);
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
