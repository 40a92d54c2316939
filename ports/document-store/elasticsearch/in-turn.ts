/** Work on keys: what shares a key runs in the order of the calls, the rest side by side. */
export class InTurn<Key> {
  readonly #last = new Map<Key, Promise<void>>();

  /** Runs `work` when everything that was asked for before it under one of the keys has ended, well or not. */
  async run<T>(keys: readonly Key[], work: () => Promise<T>): Promise<T> {
    const before = new Set(keys.flatMap((key) => this.#last.get(key) ?? []));
    const result = before.size === 0 ? work() : Promise.all(before).then(work);
    const ended = result.then(
      () => undefined,
      () => undefined,
    );
    for (const key of keys) this.#last.set(key, ended);
    try {
      return await result;
    } finally {
      for (const key of keys) if (this.#last.get(key) === ended) this.#last.delete(key);
    }
  }

  /** Resolves when nothing runs any more of what was asked for by now. */
  async idle(): Promise<void> {
    await Promise.all(this.#last.values());
  }
}
