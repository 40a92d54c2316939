/**
 * Work that many ask for at once and that is done once for all of them. A caller gets the result of a run that began after it had
 * asked, so that the run has seen whatever the caller did before.
 */
export class Coalesced<T> {
  readonly #work: () => Promise<T>;
  #running: Promise<unknown> | undefined;
  #next: Promise<T> | undefined;

  constructor(work: () => Promise<T>) {
    this.#work = work;
  }

  run(): Promise<T> {
    if (!this.#running) return this.#start();
    this.#next ??= this.#running.then(() => {
      this.#next = undefined;
      return this.#start();
    });
    return this.#next;
  }

  #start(): Promise<T> {
    const run = this.#work();
    const ended = run.then(
      () => undefined,
      () => undefined,
    );
    this.#running = ended;
    void ended.then(() => {
      if (this.#running === ended) this.#running = undefined;
    });
    return run;
  }
}
