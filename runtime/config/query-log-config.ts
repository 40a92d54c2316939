import Type from 'typebox';
import { closed, integer } from './fields.ts';

/** What is written down of every question. */
export const QueryLogConfig = Type.Object(
  {
    mode: Type.Optional(
      Type.Union([Type.Literal('off'), Type.Literal('metadata'), Type.Literal('redacted')], {
        default: 'metadata',
        description:
          'off: nothing; metadata: all but the words of a question; redacted: its words too, after the PII filter, which then also runs where `pipeline.pii.mode` is off. Never text of an answer or a passage.',
      }),
    ),
    maxFileBytes: Type.Optional(
      integer('A file that would grow beyond it is followed by another.', 16_777_216, 4_096, 1_073_741_824),
    ),
    retentionDays: Type.Optional(integer('How long files are kept, in days of UTC.', 30, 1, 3_650)),
  },
  { ...closed, description: 'One line of JSON for every search and answer, in `<dataDir>/queries/`.', default: {} },
);
export type QueryLogConfig = Type.Static<typeof QueryLogConfig>;

/** The query log with its defaults filled in. */
export type FilledQueryLog = Required<QueryLogConfig>;
