import Type from 'typebox';
import { AnswerResponse } from './answer.ts';
import { SearchRequest } from './query.ts';

/** The model that answers from the index. Any name in a request that is none of ours means it, too. */
export const CHAT_MODEL = 'freshet';

/** The same, with the sources listed below the text, for readers whose page shows nothing but text. */
export const CHAT_MODEL_WITH_SOURCES = 'freshet-with-sources';

const nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

/** A part of a message. Only parts of type `text` can be read; others are refused by name, not by form. */
const MessagePart = Type.Object({ type: Type.String(), text: Type.Optional(Type.String()) });

/** One message of a conversation, as OpenAI's chat API writes it. */
export const ChatMessage = Type.Object({
  role: Type.Union([
    Type.Literal('user'),
    Type.Literal('assistant'),
    Type.Literal('system'),
    Type.Literal('developer'),
    Type.Literal('tool'),
    Type.Literal('function'),
  ]),
  content: Type.Optional(nullable(Type.Union([Type.String(), Type.Array(MessagePart)]))),
});
export type ChatMessage = Type.Static<typeof ChatMessage>;

const refused = (what: string) => Type.Optional(Type.Unknown({ description: what }));

/**
 * Body of POST /v1/chat/completions, as OpenAI writes it. Parameters that would change what a caller can rely on are refused when they
 * ask for something else (`n`, `response_format` ...); those that only tune a model are taken and have no effect. `freshet` is ours, and
 * checked to the letter.
 */
export const ChatRequest = Type.Object(
  {
    model: Type.Optional(
      Type.String({
        description: `${CHAT_MODEL}, or ${CHAT_MODEL_WITH_SOURCES} to have the sources listed below the text. Any other name means the first.`,
      }),
    ),
    messages: Type.Array(ChatMessage, {
      minItems: 1,
      description:
        'The last user message is the question. Earlier user messages complete it when it refers back; system messages are not followed.',
    }),
    stream: Type.Optional(nullable(Type.Boolean())),
    stream_options: Type.Optional(nullable(Type.Object({ include_usage: Type.Optional(nullable(Type.Boolean())) }))),
    n: refused('1, if anything'),
    response_format: refused('{"type": "text"}, if anything'),
    tools: Type.Optional(Type.Unknown({ description: 'Taken; none is ever called.' })),
    tool_choice: refused('"auto" or "none", if anything'),
    function_call: refused('"auto" or "none", if anything'),
    logprobs: refused('false, if anything'),
    modalities: refused('["text"], if anything'),
    freshet: Type.Optional(Type.Omit(SearchRequest, ['query'], { additionalProperties: false })),
  },
  { description: 'Parameters that only tune a model (temperature, max_tokens, stop, seed ...) have no effect.' },
);
export type ChatRequest = Type.Static<typeof ChatRequest>;

/** What an answer has beyond OpenAI's message: all of POST /v1/answer's reply but the text and the usage, and the question as it was asked. */
export const ChatExtension = Type.Object({
  question: Type.String({
    description: 'What the index was asked: a question that refers back has what it refers to.',
  }),
  ...Type.Omit(AnswerResponse, ['answer', 'usage']).properties,
});
export type ChatExtension = Type.Static<typeof ChatExtension>;

const ChatUsage = Type.Object({
  prompt_tokens: Type.Integer(),
  completion_tokens: Type.Integer(),
  total_tokens: Type.Integer(),
});

const shared = {
  id: Type.String(),
  created: Type.Integer({ description: 'Seconds since the epoch.' }),
  model: Type.String(),
};

/** Reply of POST /v1/chat/completions without `stream`. */
export const ChatCompletion = Type.Object({
  ...shared,
  object: Type.Literal('chat.completion'),
  choices: Type.Array(
    Type.Object({
      index: Type.Integer(),
      message: Type.Object({
        role: Type.Literal('assistant'),
        content: Type.String(),
        refusal: Type.Null(),
        freshet: ChatExtension,
      }),
      logprobs: Type.Null(),
      finish_reason: Type.Literal('stop'),
    }),
  ),
  usage: ChatUsage,
});
export type ChatCompletion = Type.Static<typeof ChatCompletion>;

/**
 * One event of a streamed completion: first the role, then content, then `finish_reason` with `freshet` in its delta. `usage` is there
 * iff the caller asked for it: null, but in one more chunk without choices, the last.
 */
export const ChatChunk = Type.Object({
  ...shared,
  object: Type.Literal('chat.completion.chunk'),
  choices: Type.Array(
    Type.Object({
      index: Type.Integer(),
      delta: Type.Object({
        role: Type.Optional(Type.Literal('assistant')),
        content: Type.Optional(Type.String()),
        freshet: Type.Optional(ChatExtension),
      }),
      logprobs: Type.Null(),
      finish_reason: nullable(Type.Literal('stop')),
    }),
  ),
  usage: Type.Optional(nullable(ChatUsage)),
});
export type ChatChunk = Type.Static<typeof ChatChunk>;

/** A model as GET /v1/models lists it. */
export const ChatModel = Type.Object({
  id: Type.String(),
  object: Type.Literal('model'),
  created: Type.Integer({ description: 'Seconds since the epoch.' }),
  owned_by: Type.String(),
});
export type ChatModel = Type.Static<typeof ChatModel>;

/** Reply of GET /v1/models. */
export const ChatModelList = Type.Object({ object: Type.Literal('list'), data: Type.Array(ChatModel) });
export type ChatModelList = Type.Static<typeof ChatModelList>;

/** An error as clients of OpenAI's API read it, with our code, everything that is wrong, and the trace id. */
export const ChatError = Type.Object({
  error: Type.Object({
    message: Type.String(),
    type: Type.String(),
    param: nullable(Type.String()),
    code: Type.String({ description: 'Stable; branch on this. docs/ERRORS.md lists them.' }),
    errors: Type.Optional(Type.Array(Type.Object({ pointer: Type.String(), detail: Type.String() }))),
    traceId: Type.Optional(Type.String()),
  }),
});
export type ChatError = Type.Static<typeof ChatError>;
