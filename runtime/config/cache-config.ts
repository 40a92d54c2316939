import Type from 'typebox';
import { closed, integer, number } from './fields.ts';

/** What is kept so that it is not made twice. */
export const CacheConfig = Type.Object(
  {
    answers: Type.Optional(
      Type.Union([Type.Literal('exact'), Type.Literal('off')], {
        default: 'exact',
        description:
          'exact: an answer is given again to the same question of a caller with the same rights while every passage found for it is the same; off: every answer is written.',
      }),
    ),
    answerTtlMs: Type.Optional(
      integer(
        'Age at which an answer is written anew, and its text is gone whatever happens, ms.',
        3_600_000,
        1_000,
        604_800_000,
      ),
    ),
    answerMaxBytes: Type.Optional(
      integer(
        'Bytes that answers may take in the memory of a process; with Redis its `maxmemory` bounds them.',
        33_554_432,
        65_536,
        4_294_967_296,
      ),
    ),
    auditShare: Type.Optional(
      number('Share of answers that are written although they could be given again, to compare both.', 0.01, 0, 1),
    ),
    queryVectorMaxBytes: Type.Optional(
      integer(
        'Bytes that vectors of queries may take in the memory of a process; 0 keeps none.',
        16_777_216,
        0,
        4_294_967_296,
      ),
    ),
  },
  {
    ...closed,
    description: 'What is kept so that it is not made twice. Correctness rests on none of it.',
    default: {},
  },
);
export type CacheConfig = Type.Static<typeof CacheConfig>;

/** The caches with their defaults filled in. */
export type FilledCache = { readonly [K in keyof CacheConfig]-?: NonNullable<CacheConfig[K]> };
