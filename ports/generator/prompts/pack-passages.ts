import { approximateTokenizer } from '../../embedder/remote/approximate-tokenizer.ts';
import type { GenerateRequest, GroundingPassage } from '../generator.ts';
import { splitSentences } from '../split-sentences.ts';
import type { ChatMessage, GroundedPrompt } from './grounded-prompt.ts';

/** What a server's chat template adds to a message, tokens: the role and its marks. ChatML needs 5. */
const MESSAGE_TOKENS = 8;
/** Fewer tokens of a cut passage are not worth their place. */
const MIN_CUT_TOKENS = 48;

/**
 * Leaves out what does not fit into `contextTokens`, worst passages first, and keeps the rest in the order of retrieval, best first, with their
 * markers. A passage that fits in part ends at its last whole sentence, so that what the model reads can be quoted. Tokens are counted by
 * the approximate tokenizer, which counts rather too many. Pure.
 */
export function packPassages(request: GenerateRequest, prompt: GroundedPrompt, contextTokens: number): GenerateRequest {
  const cost = (passages: readonly GroundingPassage[]): number =>
    countTokens(prompt.messages({ ...request, passages }));
  let left = contextTokens - cost([]);
  const kept: GroundingPassage[] = [];
  for (const passage of request.passages) {
    const tokens = cost([passage]) - cost([]);
    if (tokens <= left) {
      kept.push(passage);
      left -= tokens;
      continue;
    }
    const frame = tokens - approximateTokenizer.count(passage.text);
    const cut = left - frame < MIN_CUT_TOKENS ? undefined : cutToFit(passage.text, left - frame);
    if (cut !== undefined) kept.push({ ...passage, text: cut });
    // A worse passage that happens to be short must not take the place of a better one.
    break;
  }
  return { ...request, passages: kept };
}

/** Tokens of a prompt, rather too many. */
export function countTokens(messages: readonly ChatMessage[]): number {
  return messages.reduce((sum, { content }) => sum + approximateTokenizer.count(content) + MESSAGE_TOKENS, 0);
}

/** The text up to the last sentence that ends within `tokens`; undefined when none does. */
function cutToFit(text: string, tokens: number): string | undefined {
  const limit = approximateTokenizer.starts(text)[tokens] ?? text.length;
  const end = splitSentences(text).findLast((span) => span.end <= limit)?.end;
  return end === undefined ? undefined : text.slice(0, end);
}

/** Writes into the trace of a request which of its passages were packed whole and which in part. */
export function tracePacking(request: GenerateRequest, packed: GenerateRequest): void {
  if (!request.trace) return;
  const texts = new Map(request.passages.map(({ marker, text }) => [marker, text]));
  request.trace.read = packed.passages.map(({ marker }) => marker);
  request.trace.cut = packed.passages.find(({ marker, text }) => texts.get(marker) !== text)?.marker;
}
