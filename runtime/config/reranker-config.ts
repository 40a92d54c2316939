import Type from 'typebox';
import { closed, integer, secret, text } from './fields.ts';

/** What reorders results; which keys go with which kind is checked in cluster-checks.ts. */
export const RerankerConfig = Type.Object(
  {
    kind: Type.Optional(
      Type.Union([Type.Literal('none'), Type.Literal('tei'), Type.Literal('cohere')], {
        default: 'none',
        description:
          'none: results keep the order of both legs; tei: a cross-encoder on Text Embeddings Inference; cohere: Cohere. The query and the passages that its caller may see are sent there.',
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
      integer(
        'Best passages of both legs that are put in a new order; those after them follow in the old one.',
        32,
        2,
        100,
      ),
    ),
    timeoutMs: Type.Optional(
      integer('How long reranking may take; afterwards the results keep the order of both legs, ms.', 500, 10, 30_000),
    ),
    maxConcurrency: Type.Optional(integer('Most queries at the server at once.', 16, 1, 1_024)),
  },
  { ...closed, description: 'What reorders results.', default: {} },
);
export type RerankerConfig = Type.Static<typeof RerankerConfig>;

/** The reranker with its defaults filled in. */
export type FilledReranker = RerankerConfig & {
  readonly kind: 'none' | 'tei' | 'cohere';
  readonly use: 'always' | 'asked';
  readonly candidates: number;
  readonly timeoutMs: number;
  readonly maxConcurrency: number;
};
