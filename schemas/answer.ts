import Type from 'typebox';
import { AnswerExplanation } from './explanation.ts';
import { AsOf, Experiments, Reranked, SearchResult } from './query.ts';

/** What an answer rests on: a marker of its text with the passage and the words that support it. */
export const Citation = Type.Object({
  marker: Type.Integer({ minimum: 1, description: 'The number in brackets in the answer.' }),
  passageId: Type.String(),
  documentId: Type.String(),
  quote: Type.String({ description: 'Words of the passage, letter for letter.' }),
  version: Type.String(),
  committedAt: Type.Number(),
});
export type Citation = Type.Static<typeof Citation>;

/** Tokens that a generator was given and has written. */
export const Usage = Type.Object({
  promptTokens: Type.Integer(),
  completionTokens: Type.Integer(),
  approximate: Type.Optional(
    Type.Boolean({ description: 'True when the server told no numbers, and characters were counted instead.' }),
  ),
  costUsd: Type.Optional(Type.Number({ description: 'By the prices in the config; absent without them.' })),
});
export type Usage = Type.Static<typeof Usage>;

/** Reply of POST /v1/answer. `refused` means that the passages hold no answer; then there is no citation. */
export const AnswerResponse = Type.Object({
  answer: Type.String(),
  citations: Type.Array(Citation),
  refused: Type.Boolean(),
  reason: Type.Optional(Type.String()),
  cached: Type.Boolean(),
  asOf: AsOf,
  reranked: Type.Optional(Reranked),
  model: Type.String(),
  prompt: Type.Optional(Type.String({ description: 'Name and version of the prompt, when a model was asked.' })),
  usage: Usage,
  experiments: Type.Optional(Experiments),
  explanation: Type.Optional(AnswerExplanation),
  traceId: Type.String(),
});
export type AnswerResponse = Type.Static<typeof AnswerResponse>;

/** Events of a streamed answer, in this order: one `retrieval`, then `token` and `citation`, then `done` or `error`. */
export const AnswerEvent = Type.Union([
  Type.Object({
    event: Type.Literal('retrieval'),
    data: Type.Object({ results: Type.Array(SearchResult), asOf: AsOf, traceId: Type.String() }),
  }),
  Type.Object({ event: Type.Literal('token'), data: Type.Object({ text: Type.String() }) }),
  Type.Object({ event: Type.Literal('citation'), data: Citation }),
  Type.Object({ event: Type.Literal('done'), data: AnswerResponse }),
  Type.Object({
    event: Type.Literal('error'),
    data: Type.Object({ code: Type.String(), title: Type.String(), detail: Type.Optional(Type.String()) }),
  }),
]);
export type AnswerEvent = Type.Static<typeof AnswerEvent>;
