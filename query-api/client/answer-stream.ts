import { EventSourceParserStream } from 'eventsource-parser/stream';
import type { AnswerEvent } from './api-types.ts';
import { FreshetProblem, STREAM_CUT } from './freshet-problem.ts';

/** What a caller sees of a streamed answer: a failure is thrown, so that nobody takes half an answer for a whole one. */
export type StreamedAnswerEvent = Exclude<AnswerEvent, { readonly event: 'error' }>;

/**
 * The events of a streamed answer as they come: `retrieval`, then `token` and `citation`, and `done` at last. Leaving the loop closes the
 * connection, which stops the generator on the server.
 * @throws FreshetProblem with the code of the server's `error` event, or STREAM_CUT when the stream ends without `done`.
 */
export async function* readAnswer(body: ReadableStream<Uint8Array>): AsyncGenerator<StreamedAnswerEvent, void> {
  const events = body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream());
  const reader = events.getReader();
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      const event = { event: value.event, data: JSON.parse(value.data) as unknown } as AnswerEvent;
      if (event.event === 'error') throw new FreshetProblem(event.data);
      yield event;
      if (event.event === 'done') return;
    }
  } finally {
    await reader.cancel().catch(() => undefined); // it has failed already, and says so by itself
  }
  throw new FreshetProblem({ code: STREAM_CUT, title: 'The connection was cut before the answer was done' });
}
