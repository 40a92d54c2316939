import type { Clock } from '../../runtime/clock.ts';
import { deadline } from '../../runtime/deadline.ts';
import { RerankerUnavailable } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/logger.ts';
import { ModelThreads } from '../onnx/model-threads.ts';
import type { OnnxText } from '../onnx/onnx-worker.ts';
import { CLS_TOKEN, MAX_POSITIONS, SEP_TOKEN, readModel } from '../onnx/read-model.ts';
import { startWorker } from '../onnx/start-worker.ts';
import type { WordPieceTokenizer } from '../onnx/wordpiece.ts';
import type { Reranker, RerankRequest } from './reranker.ts';

const NAME = 'ms-marco-MiniLM-L12-v2-int8';
/** A longer query is cut: the text needs the rest of the positions. */
const MAX_QUERY_TOKENS = 128;
/** [CLS] query [SEP] text [SEP] */
const SPECIAL_TOKENS = 3;

/** How many threads the model may use. */
export interface OnnxRerankerOptions {
  /** Threads of the model, each with a copy of its weights, at least one. */
  readonly threads: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * A cross-encoder in this process, off this thread: `ms-marco-MiniLM-L12-v2` (int8 ONNX, in models/), trained on English questions and
 * passages of the web. Its scores are logits: those of one question and text are the same in every call, above 0 when the text is more likely to
 * answer than not. Returns before the model is loaded. A call that is over leaves the model after the text in hand.
 * @throws ModelMismatch when files of the model are missing or damaged.
 */
export async function openOnnxReranker({ threads, clock, logger }: OnnxRerankerOptions): Promise<Reranker> {
  const model = await readModel(NAME);
  const pool = new ModelThreads({
    what: 'reranking model',
    threads,
    check: (output) => {
      if (output.length !== 1 || !Number.isFinite(output[0]))
        throw new RerankerUnavailable('The reranking model gave no score.', { failure: 'unusable' });
    },
    unavailable: RerankerUnavailable,
    start: (first) => startWorker(model, 'logit', first),
    logger,
  });
  const score = async ({ query, texts, timeoutMs }: RerankRequest, signal: AbortSignal): Promise<readonly number[]> => {
    signal.throwIfAborted();
    const queryTokens = model.tokenizer.encode(query, MAX_QUERY_TOKENS);
    const limited = deadline(clock, timeoutMs, signal);
    try {
      const textOf = (index: number) => pairOf(model.tokenizer, queryTokens, texts[index] ?? '');
      const outputs = await pool.run(texts.length, textOf, false, limited.signal);
      return outputs.map(([logit = 0]) => logit); // `check` has seen that there is one
    } catch (error) {
      signal.throwIfAborted();
      if (limited.expired())
        throw new RerankerUnavailable(`The reranking model did not answer within ${timeoutMs} ms.`, {
          failure: 'timeout',
        });
      throw error instanceof RerankerUnavailable
        ? error
        : new RerankerUnavailable('The reranking model failed.', { cause: error });
    } finally {
      limited.end();
    }
  };
  return {
    name: 'the reranking model',
    score,
    probe: async (signal) => {
      await score({ query: 'is it there', texts: ['It is.'], timeoutMs: 30_000 }, signal);
      return `serves ${NAME}`;
    },
    [Symbol.asyncDispose]: () => pool[Symbol.asyncDispose](),
  };
}

/** Query and text as the model reads them together; what does not fit is cut off the text. */
function pairOf(tokenizer: WordPieceTokenizer, query: Uint32Array, text: string): OnnxText {
  const ids = tokenizer.encode(text, MAX_POSITIONS - SPECIAL_TOKENS - query.length);
  const secondFrom = query.length + 2;
  const tokens = new Uint32Array(secondFrom + ids.length + 1);
  tokens[0] = CLS_TOKEN;
  tokens.set(query, 1);
  tokens[query.length + 1] = SEP_TOKEN;
  tokens.set(ids, secondFrom);
  tokens[tokens.length - 1] = SEP_TOKEN;
  return { tokens, secondFrom };
}
