import type { AnswerResponse } from '../schemas/answer.ts';
import { clientFor } from './client.ts';
import { queryRequest } from './query-request.ts';
import type { ExitCode, VerbContext } from './verb.ts';

/** Prints an answer with its citations. A refusal is an answer too: exit code 0. */
export async function ask(context: VerbContext): Promise<ExitCode> {
  const body = { question: context.words.join(' '), ...queryRequest(context.flags) };
  const client = await clientFor(context);
  const reply = (await client.call('POST', '/v1/answer', body)) as AnswerResponse;
  context.output.result(reply, answerLines);
  return 0;
}

/** The answer, then one line per citation with the words it rests on. */
export function answerLines(reply: AnswerResponse): readonly string[] {
  if (reply.refused) return [reply.answer || 'No answer.', ...(reply.reason ? [`(${reply.reason})`] : [])];
  return [
    reply.answer,
    '',
    ...reply.citations.map(
      ({ marker, quote, passageId, committedAt }) =>
        `[${marker}] "${quote.replace(/\s+/g, ' ').trim()}"\n    ${passageId}, changed ${new Date(committedAt).toISOString()}`,
    ),
  ];
}
