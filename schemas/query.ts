import Type from 'typebox';
import { DocumentSource, MetadataValue } from './document.ts';
import { RetrievalExplanation } from './explanation.ts';

const Scalar = Type.Union([Type.String(), Type.Number(), Type.Boolean()]);

/** Conditions on metadata, all of which must hold: a value, one of several values, or a half-open range. */
export const Filter = Type.Record(
  Type.String({ maxLength: 200 }),
  Type.Union([
    Scalar,
    Type.Array(Scalar, { minItems: 1, maxItems: 100 }),
    Type.Object(
      {
        gte: Type.Optional(Type.Union([Type.String(), Type.Number()])),
        lt: Type.Optional(Type.Union([Type.String(), Type.Number()])),
      },
      { additionalProperties: false, minProperties: 1 },
    ),
  ]),
  { maxProperties: 20, additionalProperties: false },
);
export type Filter = Type.Static<typeof Filter>;

/** Longest query or question, UTF-16 code units. */
export const MAX_QUESTION_CHARS = 8_000;

/** Most passages that one request may ask for. */
export const MAX_K = 100;

const shared = {
  k: Type.Optional(Type.Integer({ minimum: 1, maximum: MAX_K, default: 8, description: 'How many passages.' })),
  mode: Type.Optional(
    Type.Union([Type.Literal('hybrid'), Type.Literal('lexical'), Type.Literal('dense')], { default: 'hybrid' }),
  ),
  filter: Type.Optional(Filter),
  rerank: Type.Optional(
    Type.Boolean({ description: 'Whether a reranker orders the results; absent: as the config says.' }),
  ),
  explain: Type.Optional(
    Type.Boolean({ default: false, description: 'Whether the reply says, in `explanation`, why it is as it is.' }),
  ),
  after: Type.Optional(
    Type.Record(Type.String(), Type.String({ maxLength: 64 }), {
      description: 'Positions by source that the reply must include.',
      maxProperties: 50,
      additionalProperties: false,
    }),
  ),
  waitFor: Type.Optional(Type.Union([Type.Literal('searchable'), Type.Literal('complete')], { default: 'searchable' })),
  waitMs: Type.Optional(
    Type.Integer({ minimum: 0, maximum: 60_000, description: 'How long to wait for `after`, ms.' }),
  ),
};

/** Body of POST /v1/search. */
export const SearchRequest = Type.Object(
  { query: Type.String({ minLength: 1, maxLength: MAX_QUESTION_CHARS }), ...shared },
  { additionalProperties: false },
);
export type SearchRequest = Type.Static<typeof SearchRequest>;

/** Most turns of a conversation that a question may bring along; a page sends the last ones. */
export const MAX_TURNS = 100;

/** One turn of a conversation before the question. */
export const Turn = Type.Object(
  {
    role: Type.Union([Type.Literal('user'), Type.Literal('assistant')]),
    content: Type.String({ maxLength: MAX_QUESTION_CHARS }),
  },
  { additionalProperties: false },
);
export type Turn = Type.Static<typeof Turn>;

/** Body of POST /v1/answer. */
export const AnswerRequest = Type.Object(
  {
    question: Type.String({ minLength: 1, maxLength: MAX_QUESTION_CHARS }),
    ...shared,
    history: Type.Optional(
      Type.Array(Turn, {
        maxItems: MAX_TURNS,
        description:
          'What was said before, oldest first. A question that refers back is asked with the earlier question that it refers to; what the assistant said is never evidence.',
      }),
    ),
    stream: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false },
);
export type AnswerRequest = Type.Static<typeof AnswerRequest>;

/** One passage of a reply, with where it stands in its document. `rank` counts from 1, best first. */
export const SearchResult = Type.Object({
  passageId: Type.String(),
  documentId: Type.String(),
  title: Type.String(),
  headings: Type.Array(Type.String(), { description: 'Headings above the passage, outermost first.' }),
  text: Type.String(),
  rank: Type.Integer({ minimum: 1 }),
  version: Type.String(),
  committedAt: Type.Number(),
  indexedAt: Type.Number(),
  source: DocumentSource,
  span: Type.Object({ start: Type.Integer(), end: Type.Integer() }),
  metadata: Type.Record(Type.String(), MetadataValue),
});
export type SearchResult = Type.Static<typeof SearchResult>;

/** As of which position of each source a reply is. */
export const AsOf = Type.Record(Type.String(), Type.Object({ position: Type.String(), committedAt: Type.Number() }));
export type AsOf = Type.Static<typeof AsOf>;

/** Whether the reranker gave the order. */
export const Reranked = Type.Boolean({
  description:
    'Where reranking was asked for: true when the results stand in the order of the reranker, false when there is none or it gave none in time.',
});

/** Arm by experiment. */
export const Experiments = Type.Record(Type.String(), Type.String(), {
  description: 'The arm of each experiment that took part; absent when there is none.',
});

/** Reply of POST /v1/search. */
export const SearchResponse = Type.Object({
  results: Type.Array(SearchResult),
  asOf: AsOf,
  coverage: Type.Object({
    dense: Type.Number({ minimum: 0, maximum: 1, description: 'Share of live passages that have their vector.' }),
  }),
  degraded: Type.Optional(
    Type.Array(Type.Literal('dense'), { description: 'Legs that were asked for and could not run in time.' }),
  ),
  reranked: Type.Optional(Reranked),
  timingsMs: Type.Record(Type.String(), Type.Number()),
  experiments: Type.Optional(Experiments),
  explanation: Type.Optional(RetrievalExplanation),
  traceId: Type.String(),
});
export type SearchResponse = Type.Static<typeof SearchResponse>;
