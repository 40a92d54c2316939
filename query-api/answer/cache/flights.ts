/**
 * How work ended that others wait for: with a value for all; `unfit`, nothing that can be shared, each does its own; or `abandoned` half-way, the
 * next one takes it over.
 */
export type FlightEnd<T> =
  { readonly kind: 'ready'; readonly value: T } | { readonly kind: 'unfit' } | { readonly kind: 'abandoned' };

/** Work of one key that has begun. */
export interface Flight<T> {
  /** The first call counts. */
  end(end: FlightEnd<T>): void;
}

/** Work under way by key, so that the same is done once for all who ask at the same time. Of one process. */
export class Flights<T> {
  readonly #running = new Map<string, Promise<FlightEnd<T>>>();

  /** The end of the work that is under way; undefined when there is none, and the caller may `begin` it. */
  running(key: string): Promise<FlightEnd<T>> | undefined {
    return this.#running.get(key);
  }

  /** Must be ended, or others wait in vain. */
  begin(key: string): Flight<T> {
    const { promise, resolve } = withResolvers<FlightEnd<T>>();
    this.#running.set(key, promise);
    return {
      end: (end) => {
        if (this.#running.get(key) === promise) this.#running.delete(key);
        resolve(end);
      },
    };
  }
}

/** Promise.withResolvers, which Node 20 does not have. */
function withResolvers<T>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((fulfil) => {
    resolve = fulfil;
  });
  return { promise, resolve };
}
