/** Things that were opened and have to be closed, the last one first. Stands in for AsyncDisposableStack, which Node 20 lacks. */
export class Opened implements AsyncDisposable {
  #closers: (() => PromiseLike<void>)[] = [];

  use<T extends AsyncDisposable>(resource: T): T {
    this.#closers.push(() => resource[Symbol.asyncDispose]());
    return resource;
  }

  defer(close: () => PromiseLike<void>): void {
    this.#closers.push(close);
  }

  /** Hands everything over; disposing of this one then closes nothing. */
  move(): Opened {
    const moved = new Opened();
    moved.#closers = this.#closers;
    this.#closers = [];
    return moved;
  }

  /** Closes everything, also when some of it fails. @throws the first failure, at the end. */
  async [Symbol.asyncDispose](): Promise<void> {
    const failures: unknown[] = [];
    for (let close = this.#closers.pop(); close; close = this.#closers.pop()) {
      try {
        await close();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}
