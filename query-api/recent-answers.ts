import type { AnswerResponse } from '../schemas/answer.ts';

/** Answers that a rating can still be matched with: at 1 a second those of the last three hours, in about 3 MB. */
const KEPT_ANSWERS = 10_000;

/** What of an answer a rating is counted by. */
export interface RecentAnswer {
  readonly tenant: string;
  readonly model: string;
  /** Name and version; `none` without a model. */
  readonly prompt: string;
  readonly outcome: 'answered' | 'refused';
}

/**
 * The last answers of this process by trace id, without question or text: so that a rating is counted for the model and prompt that it is
 * about, once, and only for one who could have seen it. In memory alone; after a restart, or at another process, a rating counts as unknown.
 */
export class RecentAnswers {
  readonly #answers = new Map<string, RecentAnswer>();
  readonly #rated = new WeakSet<RecentAnswer>();
  readonly #capacity: number;

  constructor(capacity: number = KEPT_ANSWERS) {
    this.#capacity = capacity;
  }

  add({ traceId, model, prompt = 'none', refused }: AnswerResponse, tenant: string): void {
    this.#answers.set(traceId, { tenant, model, prompt, outcome: refused ? 'refused' : 'answered' });
    const [oldest] = this.#answers.keys();
    if (this.#answers.size > this.#capacity && oldest !== undefined) this.#answers.delete(oldest);
  }

  /**
   * The answer that is rated, where this tenant was given it. The first rating gets it, every further one `rated`: a second click, or a comment
   * that follows, is no second vote.
   */
  rate(traceId: string, tenant: string): RecentAnswer | 'rated' | 'unknown' {
    const answer = this.#answers.get(traceId);
    if (answer?.tenant !== tenant) return 'unknown';
    if (this.#rated.has(answer)) return 'rated';
    this.#rated.add(answer);
    return answer;
  }
}
