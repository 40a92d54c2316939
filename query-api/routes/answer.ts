import { AnswerEvent, AnswerResponse } from '../../schemas/answer.ts';
import { AnswerRequest, MAX_QUESTION_CHARS } from '../../schemas/query.ts';
import { standAlone } from '../chat/stand-alone.ts';
import { ANSWER_WIRE, streamEvents } from '../answer/sse.ts';
import { wholeAnswer } from '../answer/whole-answer.ts';
import type { RouteGroup } from '../deps.ts';
import { responses, streamed } from '../openapi.ts';
import { askingOf } from '../request-context.ts';
import { serveAnswer } from '../serve-query.ts';

/** The request without its history: a question that refers back has what it refers to. */
function inContext({ history = [], ...request }: AnswerRequest): AnswerRequest {
  const earlier = history.filter(({ role, content }) => role === 'user' && content.trim() !== '');
  const questions = earlier.map(({ content }) => content.trim());
  return { ...request, question: standAlone(request.question, questions, MAX_QUESTION_CHARS) };
}

/** POST /v1/answer, as one JSON reply or as server-sent events. */
export const answerRoutes: RouteGroup = (app, deps) => {
  app.post<{ Body: AnswerRequest }>(
    '/v1/answer',
    {
      schema: {
        operationId: 'answer',
        summary: 'Answers a question with citations, or says that it does not know',
        description:
          'With stream: true the reply is text/event-stream with the events retrieval, token, citation, done and error, in the schema of AnswerEvent: `event` is the name of the event, `data` its JSON. A comment comes every 15 s; closing the connection stops the answer.',
        tags: ['questions'],
        body: AnswerRequest,
        response: responses(streamed(AnswerResponse, AnswerEvent), 400, 401, 413, 415, 429, 503),
      },
    },
    async (request, reply) => {
      const events = serveAnswer(inContext(request.body), askingOf(request, 'answer'), deps);
      if (request.body.stream !== true) return wholeAnswer(events);
      // The first event comes before the stream is opened, so that a refused request is a problem and not a stream of one error.
      const iterator = events[Symbol.asyncIterator]();
      const first = await iterator.next();
      reply.hijack();
      await streamEvents(first, iterator, ANSWER_WIRE, reply, { ...deps, traceId: request.traceId }, request.gone);
      return reply;
    },
  );
};
