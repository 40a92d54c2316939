import type { AnswerEvent, AnswerResponse, Usage } from '../../schemas/answer.ts';
import {
  CHAT_MODEL_WITH_SOURCES,
  type ChatChunk,
  type ChatCompletion,
  type ChatExtension,
} from '../../schemas/chat.ts';
import { sourceList } from './source-list.ts';

/** What every part of one completion says of itself. */
export interface CompletionHead {
  readonly traceId: string;
  /** ms since the epoch. */
  readonly atMs: number;
  /** As the index was asked. */
  readonly question: string;
  /** The name under which the answer is given. */
  readonly model: string;
  /** By passage id; complete before the answer is. */
  readonly titles: ReadonlyMap<string, string>;
}

/** An answer as one completion. */
export function toCompletion(answer: AnswerResponse, head: CompletionHead): ChatCompletion {
  const message = {
    role: 'assistant' as const,
    content: answer.answer + sourcesOf(answer, head),
    refusal: null, // null also where nothing was found: clients show a refusal instead of the text that says so
    freshet: extensionOf(answer, head),
  };
  return {
    ...common(head),
    object: 'chat.completion',
    choices: [{ index: 0, message, logprobs: null, finish_reason: 'stop' }],
    usage: usageOf(answer.usage),
  };
}

/**
 * The events of an answer as chunks of a completion: the role as soon as the passages are found, the text as it comes, at the end
 * `finish_reason` with the extension. What was streamed and then turned out to have no support cannot be taken back; what the answer
 * says instead follows it. Ending the iteration ends the events.
 * @param hasUsage whether chunks have `usage`, and one more chunk says it
 */
export async function* chunksOf(
  events: AsyncIterable<AnswerEvent>,
  head: CompletionHead,
  hasUsage: boolean,
): AsyncGenerator<ChatChunk> {
  const base = { ...common(head), object: 'chat.completion.chunk' as const };
  const chunk = (delta: Delta, finish: 'stop' | null = null): ChatChunk => ({
    ...base,
    choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }],
    ...(hasUsage && { usage: null }),
  });
  let sent = '';
  for await (const event of events) {
    switch (event.event) {
      case 'retrieval':
        yield chunk({ role: 'assistant', content: '' });
        break;
      case 'token':
        sent += event.data.text;
        yield chunk({ content: event.data.text });
        break;
      case 'done': {
        const rest = unsaid(sent, event.data.answer) + sourcesOf(event.data, head);
        if (rest !== '') yield chunk({ content: rest });
        yield chunk({ freshet: extensionOf(event.data, head) }, 'stop');
        if (hasUsage) yield { ...base, choices: [], usage: usageOf(event.data.usage) };
        break;
      }
      case 'citation': // with all others in the extension
      case 'error': // thrown rather than sent here
        break;
    }
  }
}

type Delta = ChatChunk['choices'][number]['delta'];

function common({ traceId, atMs, model }: CompletionHead) {
  return { id: `chatcmpl-${traceId}`, created: Math.floor(atMs / 1_000), model };
}

function sourcesOf({ citations }: AnswerResponse, { model, titles }: CompletionHead): string {
  return model === CHAT_MODEL_WITH_SOURCES ? sourceList(citations, titles) : '';
}

function extensionOf({ answer: _answer, usage: _usage, ...rest }: AnswerResponse, head: CompletionHead): ChatExtension {
  return { question: head.question, ...rest };
}

function usageOf({ promptTokens, completionTokens }: Usage): ChatCompletion['usage'] {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
  };
}

/** What of the answer a reader of the stream has not seen. */
function unsaid(sent: string, answer: string): string {
  if (answer.startsWith(sent)) return answer.slice(sent.length);
  return sent.trim() === answer.trim() ? '' : `\n\n${answer}`;
}
