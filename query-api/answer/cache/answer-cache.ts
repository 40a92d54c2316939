import type { Cache } from '../../../ports/cache/cache.ts';
import { tagsOfDocument } from '../../../ports/cache/document-tags.ts';
import type { DocumentStore, Hit } from '../../../ports/document-store/document-store.ts';
import type { Clock, Random } from '../../../runtime/clock.ts';
import type { Metrics } from '../../../runtime/metrics.ts';
import { decodeEntry, encodeEntry, type AnswerEntry } from './answer-entry.ts';
import type { AuditResult } from './audit-answer.ts';
import { Flights, type Flight, type FlightEnd } from './flights.ts';

/**
 * Longest wait for the same answer that is being written for somebody else, ms. Whoever reads his answer slowly keeps its generator
 * waiting, and must not keep others waiting for longer than this.
 */
const FLIGHT_WAIT_MS = 10_000;

export interface AnswerCacheOptions {
  readonly cache: Cache;
  /** Age at which an answer is written anew, ms. */
  readonly ttlMs: number;
  /** Share of the hits that are written anew and compared, 0 to 1. */
  readonly auditShare: number;
  /** Whatever of the generator shapes its answers, besides model and prompt. */
  readonly settings: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: Metrics;
}

/** What is to be done for a question: give the answer that is there, or write one. */
export type Turn =
  | { readonly kind: 'hit'; readonly entry: AnswerEntry }
  | {
      readonly kind: 'write';
      /** Others wait for it. Absent: it is written for this request alone. */
      readonly flight?: Flight<AnswerEntry>;
      /** The answer that is there, to compare the new one with. */
      readonly audited?: AnswerEntry;
    };

/**
 * Answers that were written, by `answerKey`. Correctness does not rest on it being told of changes: other evidence is another key. It is
 * told (`forgettingStore`) so that no text of a deleted document lies in it. Owns nothing.
 */
export class AnswerCache {
  readonly settings: string;
  readonly #options: AnswerCacheOptions;
  readonly #flights = new Flights<AnswerEntry>();

  constructor(options: AnswerCacheOptions) {
    this.settings = options.settings;
    this.#options = options;
  }

  /**
   * The answer of this key, or the turn to write it. While the same one is being written in this process, waits for it; when its writer goes
   * away, one of those who wait is the next. @throws the signal's reason.
   */
  async take(key: string, gone: AbortSignal): Promise<Turn> {
    for (;;) {
      const entry = await this.#read(key, gone);
      if (entry) return this.#hit(entry);
      const running = this.#flights.running(key);
      if (!running) {
        this.#count('miss');
        return { kind: 'write', flight: this.#flights.begin(key) };
      }
      const end = await this.#endOf(running, gone);
      switch (end.kind) {
        case 'ready':
          return this.#hit(end.value);
        case 'unfit':
          this.#count('miss');
          return { kind: 'write' };
        case 'abandoned':
          break; // the first who comes back here begins anew
      }
    }
  }

  /**
   * Keeps an answer, unless its evidence has changed meanwhile. The entry is put first and the documents are looked at afterwards: a write
   * that this look does not see comes later than the entry, and finds it. Never throws. @returns whether it is kept.
   */
  async admit(
    key: string,
    entry: AnswerEntry,
    hits: readonly Hit[],
    store: DocumentStore,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { cache, ttlMs } = this.#options;
    const tags = new Set(hits.flatMap(({ documentId }) => tagsOfDocument(documentId)));
    try {
      await cache.set([{ key, value: encodeEntry(entry), ttlMs, tags: [...tags] }], signal);
      if (await isCurrent(hits, store, signal)) return true;
    } catch {
      // the store does not answer, or the caller has gone: nobody knows whether the evidence still stands
    }
    await this.forget(key);
    return false;
  }

  async forget(key: string): Promise<void> {
    await this.#options.cache.delete([key]);
  }

  /** Notes what an audit has found. */
  audited(result: AuditResult): void {
    this.#options.metrics.cacheAudits.inc({ result });
  }

  async #read(key: string, gone: AbortSignal): Promise<AnswerEntry | undefined> {
    const [bytes] = await this.#options.cache.get([key], gone);
    gone.throwIfAborted();
    return bytes && decodeEntry(bytes);
  }

  #hit(entry: AnswerEntry): Turn {
    const { random, auditShare } = this.#options;
    this.#count('hit');
    return random() < auditShare ? { kind: 'write', audited: entry } : { kind: 'hit', entry };
  }

  #count(result: 'hit' | 'miss'): void {
    this.#options.metrics.cacheRequests.inc({ cache: 'answers', result });
  }

  async #endOf(running: Promise<FlightEnd<AnswerEntry>>, gone: AbortSignal): Promise<FlightEnd<AnswerEntry>> {
    const ended = new AbortController();
    const either = AbortSignal.any([gone, ended.signal]);
    const late = this.#options.clock.sleep(FLIGHT_WAIT_MS, either).then(
      () => ({ kind: 'unfit' }) as const,
      () => ({ kind: 'unfit' }) as const,
    );
    const end = await Promise.race([running, late]);
    ended.abort();
    gone.throwIfAborted();
    return end;
  }
}

/** Whether every document of the evidence is still there, in the version that was found. */
async function isCurrent(hits: readonly Hit[], store: DocumentStore, signal: AbortSignal): Promise<boolean> {
  const versions = new Map(hits.map(({ documentId, version }) => [documentId, version]));
  const documents = await store.read([...versions.keys()], {}, signal);
  return documents.every((document) => document && !document.deleted && document.version === versions.get(document.id));
}
