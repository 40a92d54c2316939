import { randomUUID } from 'node:crypto';
import { afterAll } from 'vitest';
import { systemClock, systemRandom } from '../../runtime/clock.ts';
import type { DocumentStore } from './document-store.ts';
import { DIMENSIONS } from './document-fixtures.ts';
import { documentStoreConformance } from './document-store.conformance.ts';
import {
  openElasticsearchDocumentStore,
  type ElasticsearchDocumentStore,
  type ElasticsearchDocumentStoreOptions,
} from './elasticsearch-document-store.ts';

const node = process.env['ELASTICSEARCH_TEST_URL'];
if (!node) throw new Error('ELASTICSEARCH_TEST_URL is not set: run npm run engines first');

const alias = `t${randomUUID().slice(0, 8)}`;
let generations = 0;
const retired: Promise<void>[] = [];
const options = (fields: Partial<ElasticsearchDocumentStoreOptions> = {}): ElasticsearchDocumentStoreOptions => ({
  nodes: [node],
  alias,
  generation: `${alias}-model-chunker-${generations++}`,
  dimensions: DIMENSIONS,
  replicas: 0,
  refreshIntervalMs: 50,
  countsMaxAgeMs: 0,
  clock: systemClock,
  random: systemRandom,
  ...fields,
});

/**
 * A search finds what was written before the last position was stored. The suite searches right after it has written, so it gets what a
 * position would give it: a refresh before each search.
 */
function refreshedBeforeSearch(store: ElasticsearchDocumentStore): DocumentStore {
  return {
    write: (...args) => store.write(...args),
    read: (...args) => store.read(...args),
    list: (...args) => store.list(...args),
    search: async (...args) => {
      await store.refresh();
      return store.search(...args);
    },
    vectors: async (...args) => {
      await store.refresh();
      return store.vectors(...args);
    },
    progress: async (...args) => {
      await store.refresh();
      return store.progress(...args);
    },
    [Symbol.asyncDispose]: async () => {
      // Nobody waits for the files to be deleted: the suite opens some 300 stores.
      retired.push(store.retire().then(() => store[Symbol.asyncDispose]()));
    },
  };
}

afterAll(async () => {
  await Promise.all(retired);
  await fetch(`${node}/_index_template/${alias}`, { method: 'DELETE' });
});

documentStoreConformance('elasticsearch', async () =>
  refreshedBeforeSearch(await openElasticsearchDocumentStore(options())),
);
