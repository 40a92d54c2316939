import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { EmbeddingInvalid, StorageFailed, StoreUnavailable, type FreshetError } from '../../../runtime/errors.ts';
import type { Fusion, Hit, StoreQuery, StoreReply } from '../document-store.ts';
import type { IndexFile } from './open-index-file.ts';
import type { Searcher } from './searcher.ts';

/** A search on its way to the thread; without a query the thread closes the file and ends. */
export interface SearchRequest {
  readonly id: number;
  readonly query: StoreQuery | undefined;
  /** Present: the best of both legs are wanted. */
  readonly fusion?: Fusion | undefined;
}

/** Its reply, or why there is none. */
export type SearchResponse =
  | { readonly id: number; readonly reply: StoreReply | readonly Hit[] }
  | { readonly id: number; readonly error: { readonly code: string | undefined; readonly message: string } };

/** The thread's program; beside this file once it is compiled. */
const PROGRAM = new URL('./search-thread-main.js', import.meta.url);

interface Waiting {
  readonly resolve: (reply: StoreReply | readonly Hit[]) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Searches in a thread with a connection of its own: neither a question nor the reading of all vectors holds up the event loop, which
 * writes. It begins to read at once, and is started again by the next search when it has died.
 */
export class SearchThread implements Searcher {
  readonly #file: IndexFile;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  #isClosed = false;
  #next = 0;

  constructor({ path, dimensions }: IndexFile) {
    this.#file = { path, dimensions };
    this.#worker = this.#start();
    this.#worker.unref();
  }

  /** Finds what was committed before the call. What was begun comes to its end, whoever gives up meanwhile: it takes some milliseconds. */
  async search(query: StoreQuery, signal?: AbortSignal): Promise<StoreReply> {
    return (await this.#ask(query, undefined, signal)) as StoreReply;
  }

  async best(query: StoreQuery, fusion: Fusion, signal?: AbortSignal): Promise<readonly Hit[]> {
    return (await this.#ask(query, fusion, signal)) as readonly Hit[];
  }

  async #ask(
    query: StoreQuery,
    fusion: Fusion | undefined,
    signal: AbortSignal | undefined,
  ): Promise<StoreReply | readonly Hit[]> {
    signal?.throwIfAborted();
    if (this.#isClosed) throw new StoreUnavailable('The index is closed.');
    const id = this.#next++;
    const worker = (this.#worker ??= this.#start());
    worker.ref();
    try {
      return await new Promise<StoreReply | readonly Hit[]>((resolve, reject) => {
        this.#waiting.set(id, { resolve, reject });
        const request: SearchRequest = { id, query, fusion };
        worker.postMessage(request);
      });
    } finally {
      this.#waiting.delete(id);
      // A thread that closes the file is waited for until it has ended.
      if (this.#waiting.size === 0 && !this.#isClosed) worker.unref();
    }
  }

  /**
   * Lets the thread answer what was asked, close the file and end by itself: ending it from outside, in the middle of SQLite, would end the
   * process.
   */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const worker = this.#worker;
    if (!worker) return;
    worker.ref();
    const request: SearchRequest = { id: this.#next++, query: undefined };
    worker.postMessage(request);
    await once(worker, 'exit').catch(() => undefined); // it has died of an error: then the file is closed
  }

  #start(): Worker {
    const worker = new Worker(PROGRAM, { workerData: this.#file, name: 'freshet-search' });
    const ended = (cause?: unknown): void => {
      if (this.#worker !== worker) return;
      this.#worker = undefined;
      this.#fail(new StoreUnavailable('The thread that searches has ended.', { cause }));
    };
    worker.on('message', (response: SearchResponse) => {
      const waiting = this.#waiting.get(response.id);
      if ('error' in response) waiting?.reject(errorOf(response.error));
      else waiting?.resolve(response.reply);
    });
    worker.on('error', ended);
    worker.on('exit', () => ended());
    return worker;
  }

  #fail(error: FreshetError): void {
    for (const { reject } of this.#waiting.values()) reject(error);
  }
}

/** Classes do not travel between threads. */
function errorOf({ code, message }: { readonly code: string | undefined; readonly message: string }): Error {
  const error = [StorageFailed, EmbeddingInvalid, StoreUnavailable]
    .map((type) => new type(message))
    .find((each) => each.code === code);
  return error ?? new Error(message);
}
