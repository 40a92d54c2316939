import { documentId, type DocumentId } from '../../schemas/ids.ts';
import { PAGES } from './docs-table.ts';
import { packagePages } from './package-pages.ts';
import { SHOP } from './shop-routes.ts';
import { FIRST_ROWS } from './shop-table.ts';

/** What one row of the demo's tables becomes in the index. */
export interface DemoDocument {
  readonly id: DocumentId;
  readonly title: string;
  readonly body: string;
  /** The package that ships it; undefined for a row of the shop. */
  readonly package?: string;
}

/**
 * Every document that a first start of the demo indexes, without a database: the rows of the shop, then the pages of the packages.
 * What visitors change later is not in it.
 */
export async function* demoDocuments(nodeModules: string): AsyncGenerator<DemoDocument> {
  // Keys of the shop are counted by PostgreSQL, from 1 in the order of the inserts.
  for (const [index, row] of FIRST_ROWS.entries())
    yield { id: documentId({ ...SHOP, key: [String(index + 1)] }), ...row };
  for await (const page of packagePages(nodeModules)) {
    const { title, body, path } = page;
    yield { id: documentId({ ...PAGES, key: [page.package, path] }), title, body, package: page.package };
  }
}
