import { InvalidRequest, type RequestFault } from '../../runtime/errors.ts';
import type { ChatMessage, ChatRequest } from '../../schemas/chat.ts';
import { MAX_QUESTION_CHARS, type AnswerRequest } from '../../schemas/query.ts';
import { standAlone } from './stand-alone.ts';

interface Rule {
  readonly isMet: (value: unknown) => boolean;
  readonly detail: string;
}

const CALLS_NO_TOOL: Rule = {
  isMet: (value) => value === 'auto' || value === 'none',
  detail: 'must be auto or none: a tool of the caller is never called',
};

/** Parameters that a caller relies on when it asks for more than this; taking them silently would break it later and elsewhere. */
const RULES: Readonly<Record<string, Rule>> = {
  n: { isMet: (value) => value === 1, detail: 'must be 1: a question has one answer' },
  response_format: {
    isMet: (value) => (value as { type?: unknown } | undefined)?.type === 'text',
    detail: 'must be of type text: an answer is text, with its citations beside it in `freshet`',
  },
  tool_choice: CALLS_NO_TOOL,
  function_call: CALLS_NO_TOOL,
  logprobs: { isMet: (value) => value === false, detail: 'must be false: words of sources have no probabilities' },
  modalities: {
    isMet: (value) => Array.isArray(value) && value.every((one) => one === 'text'),
    detail: 'must be text alone',
  },
};

/**
 * The question that a conversation ends with, as POST /v1/answer takes it: the last user message, with what it refers back to.
 * Messages of the system, of tools and of the assistant take no part: what an answer may rest on are passages alone.
 * @throws InvalidRequest for a conversation without a question, with what is not text, or with a parameter that cannot be honoured.
 */
export function readConversation(request: ChatRequest): AnswerRequest {
  const faults: RequestFault[] = [];
  for (const [name, { isMet, detail }] of Object.entries(RULES)) {
    const value = (request as Readonly<Record<string, unknown>>)[name];
    if (value !== undefined && value !== null && !isMet(value)) faults.push({ pointer: `/${name}`, detail });
  }
  const questions = request.messages.flatMap((message, index) => (message.role === 'user' ? [{ message, index }] : []));
  const last = questions.at(-1);
  const question = last ? textOf(last.message).trim() : '';
  if (!last) faults.push({ pointer: '/messages', detail: 'must hold a message of role user: the question' });
  else faults.push(...faultsOf(last.message, question, `/messages/${last.index}/content`));
  if (faults.length > 0) throw new InvalidRequest('The conversation cannot be answered as it is asked.', { faults });
  const earlier = questions.slice(0, -1).map(({ message }) => textOf(message).trim());
  return { ...request.freshet, question: standAlone(question, earlier.filter(isText), MAX_QUESTION_CHARS) };
}

function faultsOf({ content }: ChatMessage, question: string, pointer: string): readonly RequestFault[] {
  const parts = Array.isArray(content) ? content : [];
  const others = parts.flatMap(({ type }, index) => (type === 'text' ? [] : [`${pointer}/${index}`]));
  if (others.length > 0) return others.map((at) => ({ pointer: at, detail: 'must be of type text' }));
  if (!isText(question)) return [{ pointer, detail: 'must not be empty' }];
  if (question.length > MAX_QUESTION_CHARS)
    return [{ pointer, detail: `must not have more than ${MAX_QUESTION_CHARS} characters` }];
  return [];
}

function textOf({ content }: ChatMessage): string {
  if (typeof content === 'string') return content;
  return (content ?? []).map(({ text = '' }) => text).join('\n');
}

function isText(text: string): boolean {
  return text !== '';
}
