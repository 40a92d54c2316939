import {
  CHAT_MODEL,
  CHAT_MODEL_WITH_SOURCES,
  ChatChunk,
  ChatCompletion,
  ChatError,
  ChatRequest,
} from '../../schemas/chat.ts';
import { streamEvents, type Wire } from '../answer/sse.ts';
import { wholeAnswer } from '../answer/whole-answer.ts';
import { chatErrors, toChatError } from '../chat/chat-error.ts';
import { chunksOf, toCompletion, type CompletionHead } from '../chat/completion.ts';
import { readConversation } from '../chat/read-conversation.ts';
import { keepTitles } from '../chat/source-list.ts';
import type { RouteGroup } from '../deps.ts';
import { streamed } from '../openapi.ts';
import { askingOf } from '../request-context.ts';
import { serveAnswer } from '../serve-query.ts';

/** As OpenAI streams. A failure is not followed by `[DONE]`: nothing is done. */
const CHAT_WIRE: Wire<ChatChunk> = {
  event: (chunk) => data(chunk),
  failure: (problem) => data(toChatError(problem)),
  complete: 'data: [DONE]\n\n',
};

/** POST /v1/chat/completions: POST /v1/answer for clients of OpenAI's API, as one reply or as a stream. */
export const chatCompletionRoutes: RouteGroup = (app, deps) => {
  app.post<{ Body: ChatRequest }>(
    '/v1/chat/completions',
    {
      errorHandler: chatErrors(deps),
      schema: {
        operationId: 'completeChat',
        summary: 'Answers the last question of a conversation, as the chat API of OpenAI',
        description:
          'With stream: true the reply is text/event-stream of chat.completion.chunk objects, ended by [DONE]. What is not of OpenAI stands under `freshet`.',
        tags: ['chat'],
        body: ChatRequest,
        response: {
          200: streamed(ChatCompletion, ChatChunk),
          ...Object.fromEntries([400, 401, 413, 415, 429, 503, 'default'].map((status) => [status, ChatError])),
        },
      },
    },
    async (request, reply) => {
      const { body, traceId } = request;
      const question = readConversation(body);
      const titles = new Map<string, string>();
      const model = body.model === CHAT_MODEL_WITH_SOURCES ? CHAT_MODEL_WITH_SOURCES : CHAT_MODEL;
      const head: CompletionHead = { traceId, atMs: deps.clock.now(), question: question.question, model, titles };
      const events = keepTitles(serveAnswer(question, askingOf(request, 'chat'), deps), titles);
      if (body.stream !== true) return toCompletion(await wholeAnswer(events), head);
      // The first chunk comes before the stream is opened, so that a refused request has the status of its error.
      const chunks = chunksOf(events, head, body.stream_options?.include_usage === true);
      const first = await chunks.next();
      reply.hijack();
      await streamEvents(first, chunks, CHAT_WIRE, reply, { ...deps, traceId }, request.gone);
      return reply;
    },
  );
};

/** JSON has no raw line break, so one line holds it. */
function data(value: unknown): string {
  return `data: ${JSON.stringify(value)}\n\n`;
}
