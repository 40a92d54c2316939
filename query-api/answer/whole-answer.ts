import { GeneratorUnavailable } from '../../runtime/errors.ts';
import type { AnswerEvent, AnswerResponse } from '../../schemas/answer.ts';

/** The answer that the events of `answerQuestion` end with. @throws GeneratorUnavailable when they end without one, and what they throw. */
export async function wholeAnswer(events: AsyncIterable<AnswerEvent>): Promise<AnswerResponse> {
  for await (const event of events) if (event.event === 'done') return event.data;
  throw new GeneratorUnavailable('The answer was not completed.');
}
