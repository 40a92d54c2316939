import { systemClock } from '../../runtime/clock.ts';
import { DIMENSIONS } from './document-fixtures.ts';
import { documentStoreConformance } from './document-store.conformance.ts';
import { openSqliteDocumentStore } from './sqlite-document-store.ts';

documentStoreConformance('sqlite', async () =>
  openSqliteDocumentStore({ path: ':memory:', dimensions: DIMENSIONS, clock: systemClock }),
);
