import Type from 'typebox';
import { closed, integer, number, secret, secretUrl, text } from './fields.ts';

/** One server that writes answers, and how it is asked. */
const server = {
  url: Type.Optional(
    secretUrl(
      'With tgi, where the server is; with openai, the address up to and with its version, as `http://vllm:8000/v1`.',
    ),
  ),
  model: Type.Optional(text('With openai, name of the model. A TGI server has one only.')),
  apiKey: Type.Optional(secret('Key of the server.')),
  maxTokens: Type.Optional(integer('Most tokens of an answer.', 1_024, 16, 32_768)),
  contextTokens: Type.Optional(
    integer(
      "Most tokens of a prompt; with maxTokens it must fit into the model's context. Passages that do not fit are left out, worst first.",
      6_144,
      512,
      1_000_000,
    ),
  ),
  temperature: Type.Optional(number('How freely words are chosen; 0: always the likeliest.', 0, 0, 2)),
  timeoutMs: Type.Optional(
    integer('How long the first token may take, with the wait for a free place and repeats, ms.', 15_000, 100, 600_000),
  ),
  stallMs: Type.Optional(integer('How long any further token may take, ms.', 10_000, 100, 600_000)),
  maxConcurrent: Type.Optional(integer('Most answers that are written at once.', 8, 1, 1_024)),
  maxWaiting: Type.Optional(
    integer('Most questions that wait for one of these places; any more go to the next generator.', 32, 0, 10_000),
  ),
  promptPriceUsd: Type.Optional(number('Price of a million tokens of prompts, US dollars.', undefined, 0, 100_000)),
  completionPriceUsd: Type.Optional(number('Price of a million tokens of answers, US dollars.', undefined, 0, 100_000)),
};

/** A server that is asked when those before it have failed. */
export const GeneratorServerConfig = Type.Object(
  {
    kind: Type.Union([Type.Literal('tgi'), Type.Literal('openai')], {
      description: 'tgi: Text Generation Inference; openai: a server with the API of OpenAI.',
    }),
    ...server,
  },
  closed,
);
export type GeneratorServerConfig = Type.Static<typeof GeneratorServerConfig>;

/** What writes answers; which keys go with which kind is checked in generator-checks.ts. */
export const GeneratorConfig = Type.Object(
  {
    kind: Type.Optional(
      Type.Union([Type.Literal('extractive'), Type.Literal('tgi'), Type.Literal('openai')], {
        default: 'extractive',
        description:
          'extractive: quotes the best sentences, needs no model; tgi: Text Generation Inference; openai: a server with the API of OpenAI, as vLLM, SGLang and llama.cpp have it.',
      }),
    ),
    ...server,
    judge: Type.Optional(
      Type.Union([Type.Literal('onnx'), Type.Literal('none')], {
        default: 'onnx',
        description:
          'With extractive, what helps to tell whether the passages answer a question in a Latin script. onnx: a small cross-encoder in this process reads the three best (about 80 MB, from the first question on); none: shared words alone.',
      }),
    ),
    unsupported: Type.Optional(
      Type.Union([Type.Literal('mark'), Type.Literal('drop')], {
        default: 'mark',
        description:
          'With a model, what becomes of a sentence that no passage supports. mark: it is followed by `[unverified]`; drop: it is left out, and answers come sentence by sentence.',
      }),
    ),
    fallbacks: Type.Optional(
      Type.Array(GeneratorServerConfig, {
        default: [],
        description: 'Servers that are asked, in this order, when those before have failed before their first token.',
      }),
    ),
    lastResort: Type.Optional(
      Type.Union([Type.Literal('extractive'), Type.Literal('none')], {
        default: 'extractive',
        description:
          'With a model, what answers when every server has failed. extractive: quotes the best sentences; none: the question fails.',
      }),
    ),
  },
  { ...closed, description: 'What writes answers.', default: {} },
);
export type GeneratorConfig = Type.Static<typeof GeneratorConfig>;
