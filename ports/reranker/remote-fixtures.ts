import { expect, it } from 'vitest';
import { systemClock } from '../../runtime/clock.ts';
import { RerankerUnavailable } from '../../runtime/errors.ts';
import { silentLogger } from '../../runtime/logger.ts';
import { startRerankStub, type RerankFault, type RerankStub } from '../../test/support/rerank-stub.ts';
import type { RemoteReranker, RemoteRerankerOptions } from './remote-reranker.ts';

/** What both adapters are opened with. */
export const PARTS: RemoteRerankerOptions = { clock: systemClock, random: () => 0.5, logger: silentLogger };

const SECRET_TEXT = 'canary-in-a-text';
const REQUEST = { query: 'canary in a query', texts: [SECRET_TEXT, 'another canary', 'none'], timeoutMs: 10_000 };
const never = new AbortController().signal;

/** What either adapter makes of the faults of a server, and of a wrong key. */
export function replyTests(open: (url: string, apiKey: string) => RemoteReranker): void {
  it.each<[string, RerankFault, string | RegExp]>([
    ['with a score that is no number', { kind: 'nan' }, 'unusable'],
    ['with half of the scores', { kind: 'half' }, 'unusable'],
    ['with a text twice', { kind: 'twice' }, 'unusable'],
    ['with a text that was not sent', { kind: 'stranger' }, 'unusable'],
    ['of another form', { kind: 'other-form' }, 'unusable'],
    ['that is no JSON', { kind: 'garbage' }, 'unusable'],
    // A client may hide that it was the connection.
    ['that breaks off', { kind: 'cut', midway: true }, /failed|unusable/],
    ['that never comes', { kind: 'cut', midway: false }, 'failed'],
    ['500', { kind: 'status', status: 500 }, 'failed'],
    ['503', { kind: 'status', status: 503 }, 'failed'],
    ['503 with Retry-After', { kind: 'status', status: 503, retryAfter: '1' }, 'overloaded'],
    ['429', { kind: 'status', status: 429 }, 'overloaded'],
    ['413', { kind: 'status', status: 413 }, 'refused'],
    ['424', { kind: 'status', status: 424 }, 'refused'],
    ['404', { kind: 'status', status: 404 }, 'forbidden'],
  ])('a reply %s is no order, and is asked for once', async (_what, fault, failure) => {
    await using stub = await startRerankStub();
    await using reranker = open(stub.url, 'right');
    stub.inject(fault, 1);
    const error = await reranker.score(REQUEST, never).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(RerankerUnavailable);
    expect((error as RerankerUnavailable).failure).toMatch(failure);
    expect(String(error)).not.toContain('canary');
    expect(stub.seen).toHaveLength(1);
  });

  it('a wrong key is named by its status, and never printed', async () => {
    await using stub = await startRerankStub({ apiKey: 'right' });
    await using right = open(stub.url, 'right');
    expect(await right.score(REQUEST, never)).toHaveLength(3);
    await using wrong = open(stub.url, 'wrong-canary');
    const error = await wrong.probe(never).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ failure: 'forbidden', message: expect.stringContaining('status 401') as string });
    expect(String(error)).not.toContain('canary');
  });

  it('where nothing listens, it says so', async () => {
    const stub = await startRerankStub();
    await stub[Symbol.asyncDispose]();
    await using reranker = open(stub.url, 'right');
    const message = expect.stringContaining('ECONNREFUSED') as string;
    await expect(reranker.probe(never)).rejects.toMatchObject({ failure: 'failed', message });
  });

  it('hangs up on the server when its caller leaves', async () => {
    await using stub = await startRerankStub();
    await using reranker = open(stub.url, 'right');
    stub.inject({ kind: 'hang' }, 1);
    const caller = new AbortController();
    const left = reranker.score(REQUEST, caller.signal);
    await until(() => stub.seen.length === 1);
    const reason = new Error('gone');
    caller.abort(reason);
    await expect(left).rejects.toBe(reason);
    await until(() => stub.seen[0]?.aborted === true);
    expect(reranker.underWay).toBe(0);
  });
}

/** A stub for one suite. */
export function sharedStub(): {
  readonly start: () => Promise<void>;
  readonly stop: () => Promise<void>;
  readonly url: () => string;
} {
  let stub: RerankStub | undefined;
  return {
    start: async () => {
      stub = await startRerankStub();
    },
    stop: async () => stub?.[Symbol.asyncDispose](),
    url: () => stub?.url ?? '',
  };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(setImmediate);
}
