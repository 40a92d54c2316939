import { writeFile } from 'node:fs/promises';
import { generatedPages } from './docs/pages.ts';
import { packageRoot } from './package-root.ts';

// `npm run docs`: writes the pages that are generated from the code. test/docs.test.ts fails when they are not up to date.
const root = packageRoot();
for (const [name, page] of Object.entries(generatedPages(root))) await writeFile(new URL(`docs/${name}`, root), page);
