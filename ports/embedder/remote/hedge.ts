import type { Clock } from '../../../runtime/clock.ts';
import type { SendOutcome } from './endpoint.ts';

type Send = (signal: AbortSignal) => Promise<SendOutcome>;

/**
 * Sends again what got no reply in `afterMs` and takes the first that holds vectors; the other is given up. For queries, whose caller
 * waits: it buys the slowest replies off with a few repeated requests (Dean and Barroso, "The Tail at Scale", 2013).
 * @throws nothing but the signal's reason.
 */
export async function hedged(send: Send, afterMs: number, clock: Clock, signal: AbortSignal): Promise<SendOutcome> {
  const over = new AbortController();
  const either = AbortSignal.any([signal, over.signal]);
  const first = send(either);
  try {
    const late = clock.sleep(afterMs, either).then(
      () => 'late' as const,
      () => 'ended' as const,
    );
    const early = await Promise.race([first, late]);
    if (early !== 'late' && early !== 'ended') return early;
    signal.throwIfAborted();
    const second = send(either);
    const vectors = (outcome: SendOutcome): SendOutcome => {
      if (outcome.kind !== 'vectors') throw outcome;
      return outcome;
    };
    return await Promise.any([first.then(vectors), second.then(vectors)]).catch(() => first);
  } finally {
    over.abort(new Error('another request was faster'));
    first.catch(() => undefined);
  }
}
