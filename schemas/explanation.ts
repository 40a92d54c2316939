import Type from 'typebox';

const Rank = Type.Integer({ minimum: 1 });

/** Where a passage stood, from 1, in each list that held it. Ranks alone: scores would tell about texts that the caller cannot see (S34). */
export const PassageRanks = Type.Object({
  lexical: Type.Optional(Type.Integer({ minimum: 1, description: 'Found by its words at this place.' })),
  dense: Type.Optional(Type.Integer({ minimum: 1, description: 'Found by its meaning at this place.' })),
  fused: Type.Integer({ minimum: 1, description: 'Place after both lists became one.' }),
  reranked: Type.Optional(Type.Integer({ minimum: 1, description: 'Place that the reranker gave it.' })),
});
export type PassageRanks = Type.Static<typeof PassageRanks>;

const explained = {
  passageId: Type.String(),
  documentId: Type.String(),
  title: Type.String(),
  ranks: PassageRanks,
  vectorPending: Type.Optional(
    Type.Boolean({ description: 'True while its vector is still to come, so that only its words could find it.' }),
  ),
};

/** How one leg went: `late` when it was asked for and not ready in time. */
export const LegState = Type.Union([Type.Literal('ran'), Type.Literal('not-asked'), Type.Literal('late')]);
export type LegState = Type.Static<typeof LegState>;

const retrieval = {
  queryClass: Type.Union([Type.Literal('identifier'), Type.Literal('words')], {
    description: 'What the query looks like; decides how much each leg counts.',
  }),
  mode: Type.Union([Type.Literal('hybrid'), Type.Literal('lexical'), Type.Literal('dense')]),
  k: Rank,
  legs: Type.Object({ lexical: LegState, dense: LegState }),
  rerank: Type.Union([Type.Literal('off'), Type.Literal('reranked'), Type.Literal('kept-order')], {
    description: 'kept-order: a new order was asked for, and there is no reranker or it gave none in time.',
  }),
};

/** One passage that was found for a search: returned, behind the last place that was asked for, or, for an answer, a `copy` of a better one. */
export const RetrievedPassage = Type.Object({
  ...explained,
  outcome: Type.Union([Type.Literal('returned'), Type.Literal('beyond-k'), Type.Literal('copy')]),
});
export type RetrievedPassage = Type.Static<typeof RetrievedPassage>;

/** Why a search gave what it gave. `passages`: in their final order, the returned ones and those that came nearest behind them. */
export const RetrievalExplanation = Type.Object({ ...retrieval, passages: Type.Array(RetrievedPassage) });
export type RetrievalExplanation = Type.Static<typeof RetrievalExplanation>;

/**
 * One passage on its way into an answer: `cited`; `read` by the generator and not cited; `over-budget`: it did not fit into the prompt;
 * `beyond-k`: behind the last place that was asked for; `copy`: a better one has the same text.
 */
export const AnswerPassage = Type.Object({
  ...explained,
  outcome: Type.Union([
    Type.Literal('cited'),
    Type.Literal('read'),
    Type.Literal('over-budget'),
    Type.Literal('beyond-k'),
    Type.Literal('copy'),
  ]),
  marker: Type.Optional(Type.Integer({ minimum: 1, description: 'Its number in the answer.' })),
  cut: Type.Optional(Type.Boolean({ description: 'True when only its first sentences fitted into the prompt.' })),
});
export type AnswerPassage = Type.Static<typeof AnswerPassage>;

/**
 * What became of one sentence that a generator wrote. `cited`: the passage it names supports it. `found`: it named none, and one was found that says
 * the same. `unverified`: no passage supports it, and it is marked so. `dropped`: no passage supports it, and it was left out. `weak`: a sentence
 * that came nearest, and covers too little of the question to be the answer.
 */
export const ExplainedStatement = Type.Object({
  text: Type.String(),
  outcome: Type.Union([
    Type.Literal('cited'),
    Type.Literal('found'),
    Type.Literal('unverified'),
    Type.Literal('dropped'),
    Type.Literal('weak'),
  ]),
  markers: Type.Array(Rank, { description: 'Passages that support it.' }),
  rejectedMarkers: Type.Array(Type.Integer(), { description: 'Passages it named that do not support it.' }),
});
export type ExplainedStatement = Type.Static<typeof ExplainedStatement>;

/** Why an answer is as it is. Model, prompt, `cached` and the reason of a refusal stand in the reply itself. */
export const AnswerExplanation = Type.Object({
  ...retrieval,
  passages: Type.Array(AnswerPassage, {
    description: 'In their final order. Those that the caller may no longer read when the answer ends are left out.',
  }),
  statements: Type.Array(ExplainedStatement),
  rejectedQuotes: Type.Array(Type.Object({ marker: Type.Integer() }), {
    description: 'Citations that were left out because their words are not in the passage they name.',
  }),
  refusedBy: Type.Optional(
    Type.Union([Type.Literal('retrieval'), Type.Literal('generator'), Type.Literal('verification')], {
      description:
        'retrieval: nothing was found; generator: the passages hold no answer; verification: no citation held.',
    }),
  ),
  timingsMs: Type.Record(Type.String(), Type.Number(), { description: 'ms by step, and `total`.' }),
});
export type AnswerExplanation = Type.Static<typeof AnswerExplanation>;
