import type { RequestFailure } from './request-failure.ts';

/** Longest pause that a server may ask for; a larger one is a mistake, or means that an operator should look. */
const MAX_RETRY_AFTER_MS = 120_000;

/**
 * Milliseconds of a `Retry-After` header (seconds or an HTTP date, RFC 9110), capped; undefined when it is absent or senseless.
 * `retry-after-ms`, which Azure OpenAI sends beside it, is finer and wins.
 */
export function retryAfterMs(headers: Headers, nowMs: number): number | undefined {
  const fine = Number(headers.get('retry-after-ms') ?? Number.NaN);
  if (fine > 0) return Math.min(fine, MAX_RETRY_AFTER_MS);
  const value = headers.get('retry-after')?.trim();
  if (!value) return undefined;
  const ms = /^\d+(\.\d+)?$/.test(value) ? Number(value) * 1000 : Date.parse(value) - nowMs;
  if (Number.isNaN(ms)) return undefined;
  return Math.min(Math.max(0, ms), MAX_RETRY_AFTER_MS);
}

/**
 * What a reply without success means, by its status alone: bodies of errors may quote the texts. The table covers what TEI (413
 * validation, 422 tokenizer, 424 backend, 429 overloaded, 503 unhealthy), OpenAI, Cohere (498, 499) and the gateways before them answer.
 */
export function judgeRefusal(status: number, headers: Headers, nowMs: number): RequestFailure {
  const reason = `status ${status}`;
  const pauseMs = retryAfterMs(headers, nowMs);
  // 424 is TEI's failed inference: out of memory for this batch, or a text that the kernels cannot take. Smaller may pass.
  if (status === 400 || status === 413 || status === 422 || status === 424) return { kind: 'refused', reason };
  if (status === 429 || (status === 503 && pauseMs !== undefined)) {
    return { kind: 'overloaded', reason, retryAfterMs: pauseMs };
  }
  if (status === 408 || status === 409 || status === 425 || status === 499 || status >= 500 || status < 400) {
    return { kind: 'failed', reason, retryAfterMs: pauseMs };
  }
  return { kind: 'forbidden', reason };
}

/** What an exception of `fetch` means: no reply came. The names of system errors (ECONNREFUSED) are kept, messages are not. */
export function judgeException(error: unknown): RequestFailure {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code = (cause as { code?: unknown } | undefined)?.code;
  const name = error instanceof Error ? error.name : 'unknown error';
  return { kind: 'failed', reason: typeof code === 'string' ? code : name, retryAfterMs: undefined };
}
