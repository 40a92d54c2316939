import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { packagePages, titleOf, type Page } from './package-pages.ts';

let nodeModules = '';
beforeEach(async () => {
  nodeModules = await mkdtemp(join(tmpdir(), 'freshet-pages-'));
});
afterEach(() => rm(nodeModules, { recursive: true, force: true }));

async function write(path: string, text: string): Promise<void> {
  await mkdir(dirname(join(nodeModules, path)), { recursive: true });
  await writeFile(join(nodeModules, path), text);
}

test('every Markdown file of every package is a page, with the version of its package', async () => {
  await write('beta/package.json', '{"version": "2.1.0"}');
  await write('beta/README.md', '# Beta\n\nText.');
  await write('beta/docs/use.md', 'no heading');
  await write('beta/index.js', '');
  await write('@scope/alpha/package.json', '{"version": "1.0.0"}');
  await write('@scope/alpha/CHANGELOG.MD', '## News');
  const pages: Page[] = [];
  for await (const page of packagePages(nodeModules)) pages.push(page);
  expect(pages).toEqual([
    { package: '@scope/alpha', path: 'CHANGELOG.MD', title: 'News', body: '## News', version: '1.0.0' },
    { package: 'beta', path: 'README.md', title: 'Beta', body: '# Beta\n\nText.', version: '2.1.0' },
    { package: 'beta', path: 'docs/use.md', title: 'beta: docs/use.md', body: 'no heading', version: '2.1.0' },
  ]);
});

test('empty and very long files, nested copies and folders that are no package are left out', async () => {
  await write('a/package.json', '{"version": "1.0.0"}');
  await write('a/EMPTY.md', ' \n');
  await write('a/LONG.md', 'x'.repeat(200_001));
  await write('a/node_modules/b/package.json', '{"version": "1.0.0"}');
  await write('a/node_modules/b/README.md', '# B');
  await write('.bin/README.md', '# not a package');
  await write('assets/README.md', '# not a package');
  const pages: Page[] = [];
  for await (const page of packagePages(nodeModules)) pages.push(page);
  expect(pages).toEqual([]);
});

test('a title loses its markup', () => {
  expect(titleOf('text\n\n# [`pino`](https://x) ![badge](b.svg) *fast* <img src="x">\n')).toBe('pino  fast');
  expect(titleOf('# ![logo](l.png)\n')).toBeUndefined();
  expect(titleOf('no heading')).toBeUndefined();
});
