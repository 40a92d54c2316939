import Type from 'typebox';
import { closed, integer, secret, text } from './fields.ts';

/** What reorders results; which keys go with which kind is checked in cluster-checks.ts. */
export const RerankerConfig = Type.Object(
  {
    kind: Type.Optional(
      Type.Union([Type.Literal('none'), Type.Literal('onnx'), Type.Literal('tei'), Type.Literal('cohere')], {
        default: 'none',
        description:
          'none: results keep the order of both legs; onnx: a small English cross-encoder in this process; tei: a cross-encoder on Text Embeddings Inference; cohere: Cohere. To the last two the query and the passages that its caller may see are sent.',
      }),
    ),
    url: Type.Optional(text('With tei, where the server is; with cohere, instead of its own.')),
    model: Type.Optional(text('With cohere, name of the model. A TEI server says which one it serves.')),
    apiKey: Type.Optional(secret('Key of the server.')),
    use: Type.Optional(
      Type.Union([Type.Literal('always'), Type.Literal('asked')], {
        default: 'always',
        description:
          'always: for every query that does not say `rerank: false`; asked: for those that say `rerank: true`.',
      }),
    ),
    candidates: Type.Optional(
      Type.Integer({
        description:
          'Best passages of both legs that are put in a new order; those after them follow in the old one. Default 32, with onnx 10.',
        minimum: 2,
        maximum: 100,
      }),
    ),
    timeoutMs: Type.Optional(
      Type.Integer({
        description:
          'How long reranking may take; afterwards the results keep the order of both legs, ms. Default 500, with onnx 2000.',
        minimum: 10,
        maximum: 30_000,
      }),
    ),
    threads: Type.Optional(integer('With onnx, threads of the model, each with a copy of its weights.', 1, 1, 64)),
    maxConcurrency: Type.Optional(integer('Most queries at the server at once.', 16, 1, 1_024)),
  },
  { ...closed, description: 'What reorders results.', default: {} },
);
export type RerankerConfig = Type.Static<typeof RerankerConfig>;

/** The reranker with its defaults filled in, but for those that depend on its kind. */
export type FilledReranker = RerankerConfig & {
  readonly kind: 'none' | 'onnx' | 'tei' | 'cohere';
  readonly use: 'always' | 'asked';
  readonly threads: number;
  readonly maxConcurrency: number;
};

/** How far a reranker goes and how long it may take, with the defaults of its kind: a processor reads a tenth of what a server's GPU does. */
export function rerankingLimits({ kind, candidates, timeoutMs }: FilledReranker): {
  readonly candidates: number;
  readonly timeoutMs: number;
} {
  const isLocal = kind === 'onnx';
  return { candidates: candidates ?? (isLocal ? 10 : 32), timeoutMs: timeoutMs ?? (isLocal ? 2_000 : 500) };
}
