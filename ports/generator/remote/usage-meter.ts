import type { Metrics } from '../../../runtime/metrics.ts';
import type { Usage } from '../../../schemas/answer.ts';
import type { ChatDelta, ChatRequest } from './chat-endpoint.ts';

/** US dollars of a million tokens. */
export interface Prices {
  readonly promptPriceUsd?: number;
  readonly completionPriceUsd?: number;
}

/** Of English with the tokenizers of current models; only for servers that do not count. */
const CHARS_PER_TOKEN = 4;
const TOKENS_PER_PRICE = 1_000_000;

/** Counts the tokens and the cost of one request: by the server's own numbers, or else by characters. */
export class UsageMeter {
  readonly #prices: Prices;
  readonly #promptChars: number;
  #told: { readonly promptTokens: number; readonly completionTokens: number } | undefined;
  #chars = 0;
  #wasRead = false;

  constructor({ messages }: Pick<ChatRequest, 'messages'>, prices: Prices) {
    this.#prices = prices;
    this.#promptChars = messages.reduce((sum, { content }) => sum + content.length, 0);
  }

  /** Takes notice of what the server sends. */
  take(delta: ChatDelta): void {
    this.#wasRead = true;
    if (delta.kind === 'text') this.#chars += delta.text.length;
    if (delta.kind === 'usage') this.#told = delta;
  }

  /** So far. */
  usage(): Usage {
    const { promptTokens, completionTokens } = this.#told ?? {
      promptTokens: Math.ceil(this.#promptChars / CHARS_PER_TOKEN),
      completionTokens: Math.ceil(this.#chars / CHARS_PER_TOKEN),
    };
    const { promptPriceUsd: prompt, completionPriceUsd: completion } = this.#prices;
    const costUsd = (promptTokens * (prompt ?? 0) + completionTokens * (completion ?? 0)) / TOKENS_PER_PRICE;
    return {
      promptTokens,
      completionTokens,
      ...(!this.#told && { approximate: true }),
      ...((prompt !== undefined || completion !== undefined) && { costUsd }),
    };
  }

  /** Adds to the metrics what the request has used, also one that was given up; nothing for a server that never began. */
  record(metrics: Metrics | undefined): void {
    if (!metrics || !this.#wasRead) return;
    const { promptTokens, completionTokens, costUsd } = this.usage();
    metrics.generateTokens.inc({ kind: 'prompt' }, promptTokens);
    metrics.generateTokens.inc({ kind: 'completion' }, completionTokens);
    if (costUsd !== undefined) metrics.generateCost.inc(costUsd);
  }
}
