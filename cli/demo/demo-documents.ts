import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { documentId, type DocumentId } from '../../schemas/ids.ts';
import { packageRoot } from '../package-root.ts';
import { PAGES } from './docs-table.ts';
import { packagePages } from './package-pages.ts';
import { SHOP } from './shop-routes.ts';
import { FIRST_ROWS } from './shop-table.ts';

/** What one row of the demo's tables becomes in the index. */
export interface DemoDocument {
  readonly id: DocumentId;
  readonly title: string;
  readonly body: string;
  readonly bodyFormat: 'text' | 'markdown';
  /** The package that ships it; undefined for a row of the shop. */
  readonly package?: string;
}

/** Where npm has put the packages: in our own folder, or, as a dependency of another package, around it. */
export function installedPackages(): string {
  const own = fileURLToPath(new URL('node_modules/', packageRoot()));
  return existsSync(own) ? own : fileURLToPath(new URL('..', packageRoot()));
}

/**
 * Every document that a first start of the demo indexes, without a database: the rows of the shop, then the pages of the packages.
 * What visitors change later is not in it.
 */
export async function* demoDocuments(nodeModules: string): AsyncGenerator<DemoDocument> {
  // Keys of the shop are counted by PostgreSQL, from 1 in the order of the inserts.
  for (const [index, row] of FIRST_ROWS.entries())
    yield { id: documentId({ ...SHOP, key: [String(index + 1)] }), ...row, bodyFormat: 'text' };
  for await (const page of packagePages(nodeModules)) {
    const { title, body, path } = page;
    yield {
      id: documentId({ ...PAGES, key: [page.package, path] }),
      title,
      body,
      bodyFormat: 'markdown',
      package: page.package,
    };
  }
}
