// Compiles the sources to dist/, bundles what is slow to load one by one, and copies the files that are read at run time (the console page, workers need no copy).
import { cpSync, existsSync, rmSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleDependencies } from './bundle-dependencies.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const require = createRequire(import.meta.url);
let tsc;
try {
  tsc = join(dirname(require.resolve('typescript/package.json')), 'bin', 'tsc');
} catch {
  // `npm install --omit=dev` of a published package: dist/ was built before it was packed.
  if (existsSync(join(root, 'dist'))) process.exit(0);
  console.error('The compiler is not installed: run `npm ci` without --omit=dev.');
  process.exit(1);
}
rmSync(join(root, 'dist'), { recursive: true, force: true });
// All of the code, then the types of what others import: `freshet/client`.
for (const config of ['tsconfig.build.json', 'tsconfig.client.json']) {
  const { status } = spawnSync(process.execPath, [tsc, '-p', join(root, config)], { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
const assets = [
  ['query-api/console', 'dist/query-api/console'],
  ['eval/golden', 'dist/eval/golden'],
];
for (const [from, to] of assets) {
  if (existsSync(join(root, from)))
    cpSync(join(root, from), join(root, to), { recursive: true, filter: (path) => !path.endsWith('.ts') });
}
await bundleDependencies(join(root, 'dist'));
