import { ChatFailure, type ChatDelta } from './chat-endpoint.ts';

type Fields = Readonly<Record<string, unknown>>;

/** A short word of a protocol, as `overloaded_error` or 503; anything longer might quote a prompt. */
const WORD = /^[\w. -]{1,40}$/;
/** How errors that will pass call themselves: TGI, vLLM, OpenAI. */
const OVERLOADED = /overload|rate.?limit|too.?many|^429$|^503$/i;

/**
 * Reads one event of a stream of `chat.completion.chunk`, as OpenAI, vLLM, SGLang, llama.cpp and TGI send it: a first chunk with the role alone, text,
 * thoughts (`reasoning_content`), the reason of the end, and usage in a chunk without choices. Only the first choice is read.
 * @throws ChatFailure for an error in the stream, and for what is no chunk.
 */
export function readChunk(chunk: unknown): readonly ChatDelta[] {
  if (!isFields(chunk)) throw unusable('an event is not an object');
  if (chunk['error'] !== undefined && chunk['error'] !== null) throw errorInStream(chunk);
  const choices = chunk['choices'];
  if (!Array.isArray(choices)) throw unusable('an event has no choices');
  const deltas: ChatDelta[] = [];
  const choice: unknown = choices[0];
  if (isFields(choice)) deltas.push(...readChoice(choice));
  const usage = readUsage(chunk['usage']);
  if (usage) deltas.push(usage);
  return deltas.length > 0 ? deltas : [{ kind: 'alive' }];
}

function readChoice(choice: Fields): readonly ChatDelta[] {
  const deltas: ChatDelta[] = [];
  const delta = isFields(choice['delta']) ? choice['delta'] : {};
  const { content, refusal } = delta as { readonly content?: unknown; readonly refusal?: unknown };
  if (typeof content === 'string' && content !== '') deltas.push({ kind: 'text', text: content });
  if (typeof refusal === 'string' && refusal !== '') deltas.push({ kind: 'finish', reason: 'refused' });
  const ended = choice['finish_reason'];
  if (typeof ended === 'string' && ended !== '') deltas.push({ kind: 'finish', reason: reasonOf(ended) });
  return deltas;
}

/** `eos_token` and `stop_sequence` are TGI's words, also in its OpenAI route. */
function reasonOf(ended: string): 'stop' | 'length' | 'refused' {
  if (ended === 'length') return 'length';
  return ended === 'content_filter' ? 'refused' : 'stop';
}

function readUsage(usage: unknown): ChatDelta | undefined {
  if (!isFields(usage)) return undefined;
  const { prompt_tokens: prompt, completion_tokens: completion } = usage;
  if (!isCount(prompt) || !isCount(completion)) return undefined;
  return { kind: 'usage', promptTokens: prompt, completionTokens: completion };
}

/** OpenAI and vLLM: `{error: {message, type, code}}`; TGI: `{error: "...", error_type}` or `{error: {message, http_status_code}}`. */
function errorInStream(chunk: Fields): ChatFailure {
  const error = isFields(chunk['error']) ? chunk['error'] : {};
  const told = [chunk['error_type'], error['http_status_code'], error['type'], error['code']]
    .filter((word) => typeof word === 'string' || typeof word === 'number')
    .map(String)
    .filter((word) => WORD.test(word));
  const reason = `an error in the stream${told.length > 0 ? ` (${told.join(', ')})` : ''}`;
  const kind = told.some((word) => OVERLOADED.test(word)) ? 'overloaded' : 'failed';
  return new ChatFailure({ kind, reason, retryAfterMs: undefined });
}

/** @param reason without text of the reply. */
export function unusable(reason: string): ChatFailure {
  return new ChatFailure({ kind: 'unusable', reason });
}

/** Whether a value of a reply is a map. */
export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
