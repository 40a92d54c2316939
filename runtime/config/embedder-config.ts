import Type from 'typebox';
import { closed, integer, secret, text } from './fields.ts';

/** What makes vectors; which keys go with which kind is checked in cross-checks.ts. */
export const EmbedderConfig = Type.Object(
  {
    kind: Type.Optional(
      Type.Union(
        [
          Type.Literal('onnx'),
          Type.Literal('hash'),
          Type.Literal('tei'),
          Type.Literal('openai'),
          Type.Literal('cohere'),
        ],
        {
          default: 'onnx',
          description:
            'onnx: bge-small-en-v1.5 in process; hash: hashed words, for tests and benchmarks; tei: Text Embeddings Inference; openai: a server with the API of OpenAI; cohere: Cohere.',
        },
      ),
    ),
    threads: Type.Optional(integer('With onnx, threads of the model; 0: one fewer than the cores.', 0, 0, 64)),
    url: Type.Optional(text('With tei and openai, where the server is; with cohere, instead of its own.')),
    model: Type.Optional(text('With openai and cohere, name of the model. A TEI server says which one it serves.')),
    apiKey: Type.Optional(secret('Key of the server.')),
    dimensions: Type.Optional(
      Type.Integer({
        description: 'With openai and cohere, asked of models that can shorten their vectors.',
        minimum: 1,
        maximum: 4_096,
      }),
    ),
    tokenizer: Type.Optional(
      Type.Union([Type.Literal('bge'), Type.Literal('file'), Type.Literal('approximate')], {
        default: 'bge',
        description:
          'How passages are counted in tokens, with tei, openai and cohere. bge: the vocabulary of BERT models in English, which comes with Freshet; file: `tokenizerFile`; approximate: for any other, counts rather too many.',
      }),
    ),
    tokenizerFile: Type.Optional(text("With tokenizer file: the model's `tokenizer.json`.")),
    queryPrefix: Type.Optional(text('Put in front of queries, for models that were trained so.')),
    passagePrefix: Type.Optional(text('Put in front of passages, for models that were trained so.')),
    maxConcurrency: Type.Optional(
      integer('Most requests at once; fewer are sent when the server gains nothing from them.', 64, 1, 1_024),
    ),
    timeoutMs: Type.Optional(integer('How long one request may take, ms.', 30_000, 100, 600_000)),
    hedgeAfterMs: Type.Optional(
      integer('Sends a query again that got no reply in this time, ms. 0: never.', 0, 0, 60_000),
    ),
  },
  { ...closed, description: 'What makes vectors.', default: {} },
);
export type EmbedderConfig = Type.Static<typeof EmbedderConfig>;
