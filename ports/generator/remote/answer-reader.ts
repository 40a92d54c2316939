import { readOpening } from '../answer-opening.ts';
import type { GenerateEvent, GenerateRequest } from '../generator.ts';
import { AnswerGrounder } from '../ground-answer.ts';
import { DONT_KNOW, isRefusal } from '../refusal.ts';
import type { ChatDelta } from './chat-endpoint.ts';
import { unusable } from './read-chunk.ts';

/** No tokenizer has longer tokens in a text than this, characters; a server that sends more does not heed maxTokens. */
const MAX_CHARS_PER_TOKEN = 32;

/** How an answer ended. */
export interface EndedAnswer {
  readonly events: readonly GenerateEvent[];
  readonly refused: boolean;
  readonly reason?: string;
}

/** Reads what a model says as an answer: its opening, its grounded text, its end. */
export class AnswerReader {
  readonly #grounder: AnswerGrounder;
  readonly #maxChars: number;
  #text = '';
  #state: 'opening' | 'answer' | 'no-answer' = 'opening';
  #finish: 'stop' | 'length' | 'refused' | undefined;

  constructor(
    { passages, trace }: Pick<GenerateRequest, 'passages' | 'trace'>,
    unsupported: 'mark' | 'drop',
    maxTokens: number,
  ) {
    this.#grounder = new AnswerGrounder(passages, unsupported, (statement) => trace?.statements.push(statement));
    this.#maxChars = maxTokens * MAX_CHARS_PER_TOKEN;
  }

  /** Whether more text than was asked for has come; the rest need not be read. */
  get isFull(): boolean {
    return this.#text.length > this.#maxChars;
  }

  /** @returns what may be sent now. */
  take(delta: ChatDelta): readonly GenerateEvent[] {
    if (delta.kind === 'finish' && this.#finish !== 'refused') this.#finish = delta.reason;
    if (delta.kind !== 'text') return [];
    this.#text += delta.text;
    if (this.#state === 'answer') return this.#grounder.push(delta.text);
    return this.#state === 'opening' ? this.#open(false) : [];
  }

  /**
   * The server has ended.
   * @returns the rest. @throws ChatFailure when there was no answer at all.
   */
  end(): EndedAnswer {
    const events = [...(this.#state === 'opening' ? this.#open(true) : []), ...this.#grounder.end()];
    if (this.#finish === 'refused') return this.#refused('the model refused', events);
    if (this.#text.trim() === '') throw unusable('the answer is empty');
    if (this.#state === 'no-answer') return this.#refused('the model found no answer in the passages', events);
    if (this.#grounder.citations === 0 && isRefusal(this.#text))
      return this.#refused('the model found no answer in the passages', events);
    const isCut = this.#finish === 'length' || this.isFull;
    return { events, refused: false, ...(isCut && { reason: 'the answer was cut at maxTokens' }) };
  }

  #open(ended: boolean): readonly GenerateEvent[] {
    const opening = readOpening(this.#text, ended);
    if (opening.kind === 'undecided') return [];
    this.#state = opening.kind;
    return opening.kind === 'answer' ? this.#grounder.push(opening.text) : [];
  }

  /** A refusal has no citation; what was said stays, and the fixed words are said when nothing was. */
  #refused(reason: string, events: readonly GenerateEvent[]): EndedAnswer {
    const said = events.filter((event) => event.kind === 'token');
    const isSilent = this.#state !== 'answer' || this.#text.trim() === '';
    return { events: isSilent ? [{ kind: 'token', text: DONT_KNOW }] : said, refused: true, reason };
  }
}
