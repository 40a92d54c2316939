import type { Worker } from 'node:worker_threads';
import { ModelMismatch, type FreshetError } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { OnnxClose, OnnxReply, OnnxRequest, OnnxText } from './onnx-worker.ts';

/** Passages that a thread has at once: the one it runs and the next, so that it never waits for this thread. */
const PASSAGES_PER_THREAD = 2;

/** How many threads there may be, and how one is made. */
export interface ModelThreadsOptions {
  /** For messages: `embedding model`. */
  readonly what: string;
  /** Most threads. The first starts at once, another when passages wait for it. */
  readonly threads: number;
  /** Refuses an output that nothing must be made of. */
  readonly check: (output: Float32Array) => void;
  /** What callers get when a thread died or the threads are closed. */
  readonly unavailable: new (message: string, options?: ErrorOptions) => FreshetError;
  /** Makes a thread. `first`: no thread has checked the model file yet. */
  readonly start: (first: boolean) => Worker;
  readonly logger: Logger;
}

/** Texts of one caller: what it still waits for, in the order of its texts. */
interface Call {
  readonly count: number;
  readonly textOf: (index: number) => OnnxText;
  readonly urgent: boolean;
  readonly outputs: Float32Array[];
  next: number;
  remaining: number;
  settled: boolean;
  readonly resolve: (outputs: Float32Array[]) => void;
  readonly reject: (reason: unknown) => void;
}

interface Thread {
  readonly worker: Worker;
  ready: boolean;
  readonly running: Map<number, { readonly call: Call; readonly index: number }>;
}

/**
 * Runs a model in worker threads: one text per run, so that an output never depends on its neighbours and no padding is computed, and
 * urgent texts overtake all that have not begun. A thread that dies fails the texts it held; the next call starts another.
 */
export class ModelThreads implements AsyncDisposable {
  readonly #options: ModelThreadsOptions;
  readonly #threads = new Set<Thread>();
  readonly #urgent: Call[] = [];
  readonly #patient: Call[] = [];
  #limit: number;
  #nextId = 0;
  #checked = false;
  #closed = false;

  constructor(options: ModelThreadsOptions) {
    this.#options = options;
    this.#limit = Math.max(1, options.threads);
    this.#startThread();
  }

  /**
   * Outputs of `count` texts, in order. `textOf` is asked for a text when its turn comes.
   * @throws `unavailable` when a thread died or the threads are closed, ModelMismatch when the model file is damaged,
   * what `check` throws, the signal's reason when it aborts.
   */
  run(
    count: number,
    textOf: (index: number) => OnnxText,
    urgent: boolean,
    signal?: AbortSignal,
  ): Promise<readonly Float32Array[]> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason as Error);
        return;
      }
      if (this.#closed) {
        reject(this.#unavailable('is closed'));
        return;
      }
      if (count === 0) {
        resolve([]);
        return;
      }
      const onAbort = (): void => {
        this.#fail(call, signal?.reason);
      };
      const call: Call = {
        count,
        textOf,
        urgent,
        outputs: [],
        next: 0,
        remaining: count,
        settled: false,
        resolve: (outputs) => {
          signal?.removeEventListener('abort', onAbort);
          resolve(outputs);
        },
        reject: (reason) => {
          signal?.removeEventListener('abort', onAbort);
          reject(reason as Error);
        },
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      (urgent ? this.#urgent : this.#patient).push(call);
      this.#dispatch();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    const threads = [...this.#threads];
    this.#threads.clear();
    const closed = this.#unavailable('is closed');
    for (const thread of threads) for (const { call } of thread.running.values()) this.#fail(call, closed);
    this.#failWaiting(closed);
    await Promise.all(threads.map(({ worker }) => ended(worker)));
  }

  #unavailable(predicate: string, options?: ErrorOptions): FreshetError {
    return new this.#options.unavailable(`The ${this.#options.what} ${predicate}.`, options);
  }

  #startThread(): void {
    const worker = this.#options.start(!this.#checked);
    const thread: Thread = { worker, ready: false, running: new Map() };
    this.#threads.add(thread);
    worker.on('message', (reply: OnnxReply) => {
      this.#receive(thread, reply);
    });
    worker.on('error', (cause) => {
      this.#lose(thread, this.#unavailable('failed in a thread', { cause }));
    });
    worker.on('exit', () => {
      this.#lose(thread, this.#unavailable('lost a thread'));
    });
  }

  #receive(thread: Thread, reply: OnnxReply): void {
    if (!this.#threads.has(thread)) return;
    if (reply.kind === 'ready') {
      thread.ready = true;
      this.#checked = true;
      this.#options.logger.info(`The ${this.#options.what} is loaded.`, { threads: this.#threads.size });
    } else if (reply.id === undefined) {
      const damaged = reply.kind === 'failed' && reply.reason === 'model-damaged';
      const message = reply.kind === 'failed' ? reply.message : '';
      this.#lose(thread, damaged ? new ModelMismatch(message) : this.#unavailable(`failed: ${message}`));
      return;
    } else {
      const task = thread.running.get(reply.id);
      thread.running.delete(reply.id);
      if (task && reply.kind === 'failed') {
        this.#fail(task.call, this.#unavailable(`failed: ${reply.message}`));
      } else if (task && reply.kind === 'output') this.#accept(task.call, task.index, reply.output);
    }
    this.#dispatch();
  }

  #accept(call: Call, index: number, output: Float32Array): void {
    if (call.settled) return;
    try {
      this.#options.check(output);
    } catch (error) {
      this.#fail(call, error);
      return;
    }
    call.outputs[index] = output;
    if (--call.remaining > 0) return;
    call.settled = true;
    call.resolve(call.outputs);
  }

  /** Ends a call and takes what it still has waiting out of the queue. */
  #fail(call: Call, reason: unknown): void {
    if (call.settled) return;
    call.settled = true;
    const queue = call.urgent ? this.#urgent : this.#patient;
    const at = queue.indexOf(call);
    if (at >= 0) queue.splice(at, 1);
    call.reject(reason);
  }

  #failWaiting(reason: unknown): void {
    for (const call of [...this.#urgent, ...this.#patient]) this.#fail(call, reason);
  }

  /** A thread is gone: what it held fails; where none could be loaded, so does what waits. */
  #lose(thread: Thread, error: FreshetError): void {
    if (!this.#threads.delete(thread)) return;
    this.#options.logger.warn(`A thread of the ${this.#options.what} is gone.`, {
      code: error.code,
      reason: error.message,
    });
    void thread.worker.terminate();
    for (const { call } of thread.running.values()) this.#fail(call, error);
    if (!thread.ready) {
      // Trying again is the caller's: a model that does not load must not be loaded in a loop.
      if (this.#threads.size === 0) this.#failWaiting(error);
      else this.#limit = this.#threads.size;
    }
    this.#dispatch();
  }

  #dispatch(): void {
    if (this.#closed) return;
    if (this.#threads.size === 0 && this.#urgent.length + this.#patient.length > 0) this.#startThread();
    for (let call = this.#urgent[0]; call; call = this.#urgent[0]) {
      const thread = this.#leastLoaded();
      if (!thread) return;
      this.#send(thread, call, this.#urgent);
    }
    for (let call = this.#patient[0]; call; call = this.#patient[0]) {
      const thread = this.#leastLoaded();
      if (!thread) return;
      if (thread.running.size >= PASSAGES_PER_THREAD) {
        const loading = [...this.#threads].some((other) => !other.ready);
        if (!loading && this.#threads.size < this.#limit) this.#startThread();
        return;
      }
      this.#send(thread, call, this.#patient);
    }
  }

  #leastLoaded(): Thread | undefined {
    let best: Thread | undefined;
    for (const thread of this.#threads) {
      if (thread.ready && (!best || thread.running.size < best.running.size)) best = thread;
    }
    return best;
  }

  #send(thread: Thread, call: Call, queue: Call[]): void {
    const id = this.#nextId++;
    const index = call.next++;
    if (call.next === call.count) queue.shift();
    thread.running.set(id, { call, index });
    thread.worker.postMessage({ id, urgent: call.urgent, ...call.textOf(index) } satisfies OnnxRequest);
  }
}

/** Lets a thread finish what it runs and end by itself: `terminate` in the middle of a run aborts the whole process. */
async function ended(worker: Worker): Promise<void> {
  const exit = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
  worker.postMessage('close' satisfies OnnxClose);
  await exit;
}
