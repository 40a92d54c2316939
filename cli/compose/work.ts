import { setMaxListeners } from 'node:events';
import type { Connector } from '../../connectors/connector.ts';
import type { Route } from '../../pipeline/topology.ts';
import { runWorker, type WorkerOptions } from '../../pipeline/worker.ts';
import { classify } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/logger.ts';

/** Every wait of a worker and every text in front of the model listens for the stop; more than this would be a leak. */
const MAX_WAITERS = 1_000;

/** Everything of a process that runs until it is told to stop. Disposing tells it, and waits. */
export class Work implements AsyncDisposable {
  /** What has ended although nobody asked it to, by name: the process is not ready any more. */
  readonly stopped = new Map<string, Error>();
  readonly #stop = new AbortController();
  readonly #running: Promise<void>[] = [];
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
    setMaxListeners(MAX_WAITERS, this.#stop.signal);
  }

  /** Aborts when the work is told to stop. */
  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  connect(connectors: readonly Connector[]): void {
    for (const connector of connectors) this.keep(`The connector of ${connector.source}`, connector.run(this.signal));
  }

  process(routes: readonly Route[], shared: Omit<WorkerOptions, 'group' | 'topics' | 'flow' | 'makeUp'>): void {
    for (const { group, topics, flow, workers, makeUp } of routes) {
      for (let n = 0; n < workers; n++)
        this.keep(`The ${group} worker`, runWorker({ ...shared, group, topics, flow, makeUp }, this.signal));
    }
  }

  /** Work of any other kind; when it fails although nobody asked it to end, the process is not ready any more. */
  keep(name: string, running: Promise<void>): void {
    this.#running.push(
      running.catch((cause: unknown) => {
        if (this.signal.aborted) return;
        const error = classify(cause);
        this.stopped.set(name, error);
        this.#logger.error(`${name} has stopped; mend what the error says and start again.`, {
          code: error.code,
          error,
        });
      }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error('the process stops'));
    await Promise.all(this.#running);
  }
}
