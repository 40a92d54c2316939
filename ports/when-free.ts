import type { Clock } from '../runtime/clock.ts';
import { FreshetError } from '../runtime/errors.ts';

/** How often a transaction that another process blocks is tried, and the pause between, ms: about 5 s in all. */
const ATTEMPTS = 100;
const PAUSE_MS = 40;

/** Runs `work` again while another process holds the file, without blocking the event loop in between. */
export async function whenFree<T>(clock: Clock, work: () => T): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof FreshetError) || error.fate !== 'retry' || attempt === ATTEMPTS) throw error;
      await clock.sleep(PAUSE_MS);
    }
  }
}
