import { errors } from '@elastic/elasticsearch';
import { randomUUID } from 'node:crypto';
import { systemClock, systemRandom, type Clock } from '../../runtime/clock.ts';
import { aScope, DIMENSIONS } from './document-fixtures.ts';
import type { DocumentStore } from './document-store.ts';
import {
  openElasticsearchDocumentStore,
  type ElasticsearchDocumentStore,
  type ElasticsearchDocumentStoreOptions,
} from './elasticsearch-document-store.ts';
import type { Send } from './elasticsearch/connection.ts';

/** Generations of one test file on the shared Elasticsearch, under an alias of their own. */
export class TestGenerations {
  readonly #node: string;
  readonly #retired: Promise<void>[] = [];
  readonly alias = `t${randomUUID().slice(0, 8)}`;
  #count = 0;

  constructor(node: string | undefined) {
    if (!node) throw new Error('ELASTICSEARCH_TEST_URL is not set: run npm run engines first');
    this.#node = node;
  }

  /** Options of a store with a generation of its own, unless `generation` names one. */
  options(fields: Partial<ElasticsearchDocumentStoreOptions> = {}): ElasticsearchDocumentStoreOptions {
    return {
      nodes: [this.#node],
      alias: this.alias,
      generation: `${this.alias}-model-chunker-${this.#count++}`,
      dimensions: DIMENSIONS,
      replicas: 0,
      refreshIntervalMs: 50,
      countsMaxAgeMs: 0,
      clock: systemClock,
      random: systemRandom,
      ...fields,
    };
  }

  open(fields: Partial<ElasticsearchDocumentStoreOptions> = {}): Promise<ElasticsearchDocumentStore> {
    return openElasticsearchDocumentStore(this.options(fields));
  }

  /** Removes a generation and closes its store. Nobody waits for the files to be deleted: a suite opens hundreds. */
  retire(store: ElasticsearchDocumentStore): void {
    this.#retired.push(store.retire().then(() => store[Symbol.asyncDispose]()));
  }

  /** A request that the store has no method for. */
  async raw(method: string, path: string, body?: object): Promise<unknown> {
    const headers = { 'content-type': 'application/json' };
    const reply = await fetch(`${this.#node}${path}`, { method, headers, ...(body && { body: JSON.stringify(body) }) });
    return reply.json();
  }

  /** Removes everything under the alias. */
  async clear(): Promise<void> {
    await Promise.all(this.#retired);
    const indices = (await this.raw('GET', `/_cat/indices/${this.alias}-*?format=json`)) as { index: string }[];
    for (const { index } of indices) await this.raw('DELETE', `/${index}`);
    await this.raw('DELETE', `/_index_template/${this.alias}`);
  }
}

/** Real time that never waits, and remembers how long it should have. */
export class ImpatientClock implements Clock {
  readonly slept: number[] = [];

  now(): number {
    return systemClock.now();
  }

  monotonicMs(): number {
    return systemClock.monotonicMs();
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    this.slept.push(ms);
    signal?.throwIfAborted();
    await new Promise(setImmediate);
  }
}

/** Sends requests, and hands those whose path matches to `fault` with the way to send them. */
export function onRequest(
  path: RegExp,
  fault: (sendIt: () => Promise<unknown>, request: Parameters<Send>[0]) => Promise<unknown>,
) {
  return (send: Send): Send =>
    (request, signal) =>
      path.test(request.path) ? fault(() => send(request, signal), request) : send(request, signal);
}

/** Every fifth reply to a change is lost after it was carried out, every seventh change on its way there. */
export const losing = (seed: number) => {
  let count = seed;
  return onRequest(/_bulk/, async (sendIt) => {
    const turn = ++count;
    if (turn % 7 === 0) throw new errors.ConnectionError('lost on the way');
    const reply = await sendIt();
    if (turn % 5 === 0) throw new errors.TimeoutError('the reply is lost');
    return reply;
  });
};

/** Keys of the documents that a search for "passage" finds. */
export async function foundKeys(store: DocumentStore): Promise<string[]> {
  const { lexical } = await store.search({ scope: aScope(), lexical: { text: 'passage', depth: 100 } });
  return [...new Set(lexical.map(({ source }) => source.key))].toSorted();
}
