import { readFileSync } from 'node:fs';
import { configPage } from './config-page.ts';
import { errorsPage } from './errors-page.ts';
import { metricsPage } from './metrics-page.ts';

/** The generated pages by file name in docs/. `root` is the folder of the repository, ending with `/`. */
export function generatedPages(root: URL): Readonly<Record<string, string>> {
  return {
    'ERRORS.md': errorsPage(readFileSync(new URL('runtime/errors.ts', root), 'utf8')),
    'CONFIG.md': configPage(),
    'METRICS.md': metricsPage(),
  };
}
