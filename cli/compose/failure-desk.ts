import type { DeadLetters } from '../../pipeline/dead-letters.ts';
import type { FailureDesk } from '../../query-api/deps.ts';
import { NotFound } from '../../runtime/errors.ts';
import type { DeadLetter } from '../../schemas/dead-letter.ts';

const forever = new AbortController().signal;

/** The dead letters of the pipeline, as the API shows them to operators. */
export function failureDesk(deadLetters: DeadLetters): FailureDesk {
  return {
    async list({ state, source, code, limit }, signal = forever) {
      const letters = await deadLetters.list(state ?? 'all', Number.MAX_SAFE_INTEGER, signal);
      return letters
        .filter(
          (letter) =>
            (source === undefined || letter.source === source) && (code === undefined || letter.code === code),
        )
        .reverse()
        .slice(0, limit);
    },
    show: (id, signal = forever) => orUndefined(deadLetters.show(id, signal)),
    retry: (id, signal = forever) => orUndefined(deadLetters.retry(id, signal)),
    discard: (id, signal = forever) => orUndefined(deadLetters.discard(id, signal)),
  };
}

async function orUndefined(letter: Promise<DeadLetter>): Promise<DeadLetter | undefined> {
  try {
    return await letter;
  } catch (error) {
    if (error instanceof NotFound) return undefined;
    throw error;
  }
}
