import { closeSync, fdatasync, openSync } from 'node:fs';

/** What is needed of the file system. */
export interface FlushedFiles {
  /** @returns a descriptor. */
  open(path: string): number;
  /** Resolves when what was written is on the disk. */
  flush(descriptor: number): Promise<void>;
  close(descriptor: number): void;
}

const FILES: FlushedFiles = {
  open: (path) => openSync(path, 'r+'),
  flush: (descriptor) =>
    new Promise((resolve, reject) => fdatasync(descriptor, (error) => (error ? reject(error) : resolve()))),
  close: closeSync,
};

/**
 * Flushes the write-ahead log of a database to the disk, in the thread pool: SQLite's own flush, within COMMIT, would hold up the event loop
 * for it. With `synchronous=NORMAL` the log is whole up to some transaction after loss of power (https://sqlite.org/pragma.html#pragma_synchronous);
 * a flush decides up to which one at least. The descriptor is of the log only, on which SQLite takes no locks: closing it takes none away.
 */
export class WalFlush {
  readonly #path: string;
  readonly #files: FlushedFiles;
  #descriptor: number | undefined;
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;
  #isClosed = false;

  /** @param path of the database; its log must exist at the first flush. */
  constructor(path: string, files = FILES) {
    this.#path = `${path}-wal`;
    this.#files = files;
  }

  /**
   * Resolves when everything that was committed before the call is on the disk. Calls that come while one is under way share the next.
   * @throws what the file system says. After a failure every call does: the kernel may have dropped what it could not write, so that a
   * later success would prove nothing.
   */
  flush(): Promise<void> {
    if (!this.#running) return this.#run();
    this.#next ??= this.#running
      .catch(() => undefined)
      .then(() => {
        this.#next = undefined;
        return this.#run();
      });
    return this.#next;
  }

  /** What waits resolves: the caller has made everything durable otherwise. */
  close(): void {
    this.#isClosed = true;
    if (!this.#running) this.#release();
  }

  #run(): Promise<void> {
    const running = this.#flush().finally(() => {
      this.#running = undefined;
      if (this.#isClosed) this.#release();
    });
    this.#running = running;
    return running;
  }

  async #flush(): Promise<void> {
    if (this.#failure) throw this.#failure.error;
    if (this.#isClosed) return;
    try {
      this.#descriptor ??= this.#files.open(this.#path);
      await this.#files.flush(this.#descriptor);
    } catch (error) {
      this.#failure = { error };
      throw error;
    }
  }

  #release(): void {
    if (this.#descriptor !== undefined) this.#files.close(this.#descriptor);
    this.#descriptor = undefined;
  }
}
