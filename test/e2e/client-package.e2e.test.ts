import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { queryBench } from '../support/query-api.ts';
import { root } from '../support/source-files.ts';

const run = promisify(execFile);
/** Where somebody has installed the packed package, and nothing else of ours. */
let home: string;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'freshet-consumer-'));
  const installed = join(home, 'node_modules');
  await mkdir(join(installed, 'freshet'), { recursive: true });
  await mkdir(join(installed, '@types'));
  // dist/ was built before this lane; a build by `prepare` would take it away from the tests beside this one.
  const { stdout } = await run('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', home], {
    cwd: root,
  });
  await run('tar', ['-xzf', join(home, stdout.trim()), '-C', join(installed, 'freshet'), '--strip-components=1']);
  for (const dependency of ['eventsource-parser', '@types/node', 'undici-types'])
    await symlink(join(root, 'node_modules', dependency), join(installed, dependency));
  await writeFile(join(home, 'package.json'), '{ "type": "module" }');
});
afterAll(async () => rm(home, { recursive: true, force: true }));

/** Compiles a program as strictly as the compiler can. Gives what the compiler says. */
async function compile(program: string): Promise<string> {
  await writeFile(join(home, 'ask.ts'), program);
  const compilerOptions = {
    target: 'es2022',
    module: 'nodenext',
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    noPropertyAccessFromIndexSignature: true,
    skipLibCheck: false,
    types: ['node'],
  };
  await writeFile(join(home, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['ask.ts'] }));
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  return run(process.execPath, [tsc, '-p', home]).then(
    () => '',
    (failed: { stdout: string }) => failed.stdout,
  );
}

async function example(): Promise<string> {
  const page = await readFile(join(root, 'docs/CLIENT.md'), 'utf8');
  return /```ts ask\.ts\n([\s\S]*?)```/.exec(page)?.[1] ?? '';
}

test('the program of docs/CLIENT.md compiles against the packed package, and does what it says', async () => {
  expect(await compile(await example())).toBe('');
  await using bench = queryBench();
  await bench.index({ key: '1', title: 'Locks', text: 'A job lock is held for 30 seconds.' });
  const FRESHET_URL = await bench.app.listen({ host: '127.0.0.1', port: 0 });
  const { stdout } = await run(process.execPath, [join(home, 'ask.js')], { env: { ...process.env, FRESHET_URL } });
  expect(stdout.split('\n')).toEqual([
    '1. Locks []',
    'A job lock is held for 30 seconds. [1] <help/public.articles/1> (done)',
    "FRESHET_INVALID_REQUEST [ '/after/nobody' ]",
    '',
  ]);
});

test('what the API does not take does not compile', async () => {
  const wrong = `${await example()}
await freshet.search({ question: 'a word of another operation' });
await freshet.search({ query: 'a', mode: 'sparse' });
await freshet.call('readDocument', { path: { name: 'x' } });
const whole: string = freshet.answer({ question: 'a', stream: true });
`;
  const said = await compile(wrong);
  expect(said.match(/error TS\d+/g)).toHaveLength(4);
});
