import type { ServerResponse } from 'node:http';

/** What a stub of an embedding service does instead of answering as it should. */
export type EmbeddingFault =
  | { readonly kind: 'status'; readonly status: number; readonly retryAfter?: string }
  /** Answers after a time. */
  | { readonly kind: 'slow'; readonly ms: number }
  /** Never answers. */
  | { readonly kind: 'hang' }
  /** Cuts the connection before the reply, or in the middle of it. */
  | { readonly kind: 'cut'; readonly midway: boolean }
  /** Answers 200 with what is no JSON. */
  | { readonly kind: 'garbage' }
  | { readonly kind: 'wrong-dimension'; readonly dimensions: number }
  /** The first vector has a component that is not a number. */
  | { readonly kind: 'nan' }
  /** The same, for requests that hold a text with this mark. */
  | { readonly kind: 'nan-of'; readonly mark: string }
  /** Refuses requests that hold a text with this mark. */
  | { readonly kind: 'refuse'; readonly mark: string; readonly status: number }
  /** The vectors are right and stand in another order. */
  | { readonly kind: 'swapped' }
  /** The second half of the vectors is missing. */
  | { readonly kind: 'half' }
  /** Vectors are twice as long as they should be. */
  | { readonly kind: 'unscaled' };

/** Faults that wait to happen, in the order in which they were planned. */
export class EmbeddingFaults {
  #planned: { readonly fault: EmbeddingFault; times: number }[] = [];

  /** Lets the next `times` requests meet the fault. */
  inject(fault: EmbeddingFault, times = Infinity): void {
    this.#planned.push({ fault, times });
  }

  heal(): void {
    this.#planned = [];
  }

  /** The fault of the request that begins now. */
  take(): EmbeddingFault | undefined {
    const first = this.#planned[0];
    if (first && --first.times <= 0) this.#planned.shift();
    return first?.fault;
  }
}

/** Changes the vectors of a reply as the fault says. */
export function spoil(
  fault: EmbeddingFault | undefined,
  texts: readonly string[],
  vectors: readonly Float32Array[],
): readonly Float32Array[] {
  const withNan = (broken: (index: number) => boolean): readonly Float32Array[] =>
    vectors.map((vector, index) => (broken(index) ? vector.with(0, Number.NaN) : vector));
  switch (fault?.kind) {
    case 'wrong-dimension':
      return vectors.map(() => new Float32Array(fault.dimensions).fill(1 / Math.sqrt(fault.dimensions)));
    case 'nan':
      return withNan((index) => index === 0);
    case 'nan-of':
      return withNan((index) => texts[index]?.includes(fault.mark) ?? false);
    case 'swapped':
      return vectors.toReversed();
    case 'half':
      return vectors.slice(0, vectors.length >> 1);
    case 'unscaled':
      return vectors.map((vector) => vector.map((value) => 2 * value));
    case 'status':
    case 'slow':
    case 'hang':
    case 'cut':
    case 'garbage':
    case 'refuse':
    case undefined:
      return vectors;
  }
}

/** Does what needs no vectors. @returns whether the request is over. */
export async function misbehave(
  fault: EmbeddingFault | undefined,
  texts: readonly string[],
  response: ServerResponse,
): Promise<boolean> {
  switch (fault?.kind) {
    case 'status':
      refuse(response, fault.status, fault.retryAfter);
      return true;
    case 'refuse':
      if (!texts.some((text) => text.includes(fault.mark))) return false;
      refuse(response, fault.status, undefined);
      return true;
    case 'slow':
      await new Promise((resolve) => setTimeout(resolve, fault.ms));
      return false;
    case 'hang':
      return true;
    case 'cut':
      if (fault.midway) {
        response.writeHead(200, { 'content-type': 'application/json', 'content-length': 10_000 });
        response.write('[[0.1,');
        await new Promise(setImmediate);
      }
      response.socket?.destroy();
      return true;
    case 'garbage':
      response.writeHead(200, { 'content-type': 'application/json' }).end('[[0.1, 0.2');
      return true;
    case 'wrong-dimension':
    case 'nan':
    case 'nan-of':
    case 'swapped':
    case 'half':
    case 'unscaled':
    case undefined:
      return false;
  }
}

function refuse(response: ServerResponse, status: number, retryAfter: string | undefined): void {
  response.writeHead(status, {
    'content-type': 'application/json',
    ...(retryAfter === undefined ? {} : { 'retry-after': retryAfter }),
  });
  response.end(JSON.stringify({ error: 'planned by the test', error_type: 'unhealthy' }));
}
