import { afterAll } from 'vitest';
import { documentStoreConformance } from './document-store.conformance.ts';
import type { DocumentStore } from './document-store.ts';
import type { ElasticsearchDocumentStore } from './elasticsearch-document-store.ts';
import { TestGenerations } from './elasticsearch-fixtures.ts';

const generations = new TestGenerations(process.env['ELASTICSEARCH_TEST_URL']);

/**
 * A search finds what was written before the last position was stored. The suite searches right after it has written, so it gets what a
 * position would give it: a refresh before each search.
 */
function refreshedBeforeSearch(store: ElasticsearchDocumentStore): DocumentStore {
  return {
    write: (...args) => store.write(...args),
    read: (...args) => store.read(...args),
    list: (...args) => store.list(...args),
    searchable: (...args) => store.searchable(...args),
    search: async (...args) => {
      await store.searchable();
      return store.search(...args);
    },
    best: async (...args) => {
      await store.searchable();
      return store.best(...args);
    },
    vectors: async (...args) => {
      await store.searchable();
      return store.vectors(...args);
    },
    progress: async (...args) => {
      await store.searchable();
      return store.progress(...args);
    },
    [Symbol.asyncDispose]: async () => generations.retire(store),
  };
}

afterAll(() => generations.clear());

documentStoreConformance('elasticsearch', async () => refreshedBeforeSearch(await generations.open()));
