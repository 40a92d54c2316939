import Type from 'typebox';
import { closed, integer, secret } from './fields.ts';

const Pii = Type.Object(
  {
    mode: Type.Optional(
      Type.Union([Type.Literal('mask'), Type.Literal('pseudonym'), Type.Literal('off')], {
        default: 'mask',
        description: 'mask: `[EMAIL]`; pseudonym: the same value always becomes the same token, per tenant.',
      }),
    ),
    entities: Type.Optional(
      Type.Array(Type.String(), {
        description: 'Entities to look for; absent: all that carry a checksum or an unmistakable form.',
      }),
    ),
    secret: Type.Optional(secret('Key of the pseudonyms; needed with mode pseudonym.')),
  },
  { ...closed, description: 'PII filter, before embedding.', default: {} },
);

const Chunk = Type.Object(
  {
    maxTokens: Type.Optional(integer("Longest passage, in the embedding model's tokens.", 320, 16, 8_192)),
    overlapTokens: Type.Optional(integer('Tokens that a passage repeats of the one before.', 24, 0, 1_024)),
  },
  { ...closed, description: 'How documents are cut into passages.', default: {} },
);

const Embed = Type.Object(
  {
    maxBatchTokens: Type.Optional(integer('Token budget of a batch across documents.', 8_192, 64, 1_048_576)),
    inlineBudgetMs: Type.Optional(
      integer(
        'How long a document may wait for its vectors before it is indexed lexically first, ms.',
        100,
        0,
        3_600_000,
      ),
    ),
  },
  { ...closed, description: 'Embedding.', default: {} },
);

/** The stages between the log and the index. */
export const PipelineConfig = Type.Object(
  {
    pii: Type.Optional(Pii),
    chunk: Type.Optional(Chunk),
    embed: Type.Optional(Embed),
    workers: Type.Optional(
      Type.Object(
        {
          prepare: Type.Optional(integer('Workers that prepare, in one process; 0: by the profile.', 0, 0, 256)),
          index: Type.Optional(integer('Workers that index, in one process; 0: by the profile.', 0, 0, 256)),
        },
        { ...closed, description: 'How much of the work a process does at once.', default: {} },
      ),
    ),
    maxDocumentBytes: Type.Optional(
      integer('Largest document, UTF-8 bytes; a larger one is a dead letter.', 16_777_216, 1_024, 268_435_456),
    ),
    maxBatchRecords: Type.Optional(integer('Records that a worker takes at a time.', 256, 1, 10_000)),
    maxBatchBytes: Type.Optional(integer('Bytes that a worker takes at a time.', 4_194_304, 65_536, 268_435_456)),
    attempts: Type.Optional(
      integer(
        'Tries of a batch before the record at fault is looked for; one that fails alone gets three times as many before it is a dead letter.',
        5,
        1,
        100,
      ),
    ),
  },
  { ...closed, description: 'Stages between the log and the index.', default: {} },
);
