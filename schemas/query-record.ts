import type { Citation, Usage } from './answer.ts';

/** Where a question came in. */
export type QueryRoute = 'search' | 'answer' | 'chat' | 'mcp';

/** What became of a question. `aborted`: the caller went away, or the server stopped. */
export type QueryOutcome = 'found' | 'nothing-found' | 'answered' | 'refused' | 'failed' | 'aborted';

/**
 * One question as the query log keeps it, one line of JSON. Holds no text of a document: neither passages, nor quotes, nor the answer, which may
 * quote. The subject of the caller is not in it.
 */
export interface QueryRecord {
  /** ms since the epoch, when the question came in. */
  readonly at: number;
  readonly traceId: string;
  readonly route: QueryRoute;
  readonly tenant: string;
  /** As it was searched for; on disk redacted, and only with `queryLog.mode: redacted`. */
  readonly question: string;
  readonly outcome: QueryOutcome;
  /** Of the error, when it failed. */
  readonly code?: string;
  /** As the request and the arms of experiments said; absent: the default. */
  readonly k?: number;
  readonly mode?: string;
  readonly rerank?: boolean;
  /** Ids of the passages that were found, best first. */
  readonly passages: readonly string[];
  readonly citations?: readonly Pick<Citation, 'passageId' | 'version'>[];
  /** UTF-16 code units. */
  readonly answerChars?: number;
  readonly cached?: boolean;
  readonly model?: string;
  /** Name and version. */
  readonly prompt?: string;
  readonly usage?: Usage;
  /** ms by step; of an answer `retrieve` and `first-token` count from the question, as `total` does. */
  readonly stepsMs: Readonly<Record<string, number>>;
  /** Arm by experiment. */
  readonly experiments?: Readonly<Record<string, string>>;
}
