import Type from 'typebox';
import { closed, integer, text } from './fields.ts';

const name = (description: string) =>
  text(description, {
    pattern: '^[a-z0-9][a-z0-9_-]{0,31}$',
    form: 'at most 32 lower-case letters, digits, `-` and `_`',
  });

/** Settings for a share of the callers. They stand where a request says nothing itself. */
export const ArmConfig = Type.Object(
  {
    name: name('Name of the arm: in replies, metrics and the query log.'),
    share: Type.Optional(integer('How many of the callers, in proportion to the other arms.', 1, 1, 1_000)),
    k: Type.Optional(
      Type.Integer({ description: 'How many passages; absent: as without experiment.', minimum: 1, maximum: 100 }),
    ),
    mode: Type.Optional(
      Type.Union([Type.Literal('hybrid'), Type.Literal('lexical'), Type.Literal('dense')], {
        description: 'Which legs search; absent: as without experiment.',
      }),
    ),
    rerank: Type.Optional(
      Type.Union([Type.Literal('always'), Type.Literal('never')], {
        description: 'Whether the reranker gives the order; absent: as without experiment.',
      }),
    ),
  },
  closed,
);
export type ArmConfig = Type.Static<typeof ArmConfig>;

export const ExperimentConfig = Type.Object(
  {
    name: name('Name of the experiment. Another name mixes the callers anew.'),
    arms: Type.Array(ArmConfig, { minItems: 1, description: 'Two to ten; one without settings is the control.' }),
  },
  closed,
);
export type ExperimentConfig = Type.Static<typeof ExperimentConfig>;
