import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { testDatabase, type TestDatabase } from '../support/postgres.ts';
import { positionOf, postgresSource } from '../support/product.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** Where the compiled product lies, from the root; `npm test` builds `dist` first. */
const MAIN = resolve(ROOT, process.env['FRESHET_TEST_DIST'] ?? 'dist', 'cli/main.js');

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface Running {
  readonly ended: Promise<Ended>;
  /** Resolves with the first match on stderr. @throws when the process ends before. */
  said(pattern: RegExp): Promise<RegExpExecArray>;
  kill(signal: NodeJS.Signals): void;
}

let database: TestDatabase;
let folder: string;
let running: Running[];

beforeEach(async () => {
  database = await testDatabase();
  await database.sql(`CREATE TABLE pages (id int PRIMARY KEY, title text, body text, tenant text DEFAULT 'default');
    INSERT INTO pages VALUES (1, 'Heron', 'The heron stands in the shallow river at dawn.')`);
  folder = await mkdtemp(join(tmpdir(), 'freshet-cli-'));
  running = [];
  await writeConfig();
});
afterEach(async () => {
  for (const each of running) each.kill('SIGKILL');
  await Promise.all(running.map(({ ended }) => ended));
  await rm(folder, { recursive: true, force: true });
  await database[Symbol.asyncDispose]();
});

async function writeConfig(change: object = {}): Promise<void> {
  const table = { table: 'public.pages', title: 'title', body: 'body', tenant: { column: 'tenant' } };
  const config = {
    server: { port: 0 },
    embedder: { kind: 'hash' },
    sources: [{ ...postgresSource(database, [table]), slot: `cli_${database.name}` }],
    ...change,
  };
  await writeFile(join(folder, 'freshet.yaml'), JSON.stringify(config));
}

/** Runs `freshet` in a folder that has a config, as a shell would. */
function freshet(...args: readonly string[]): Running {
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: folder,
    env: { ...process.env, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  let look = (): void => undefined;
  child.stdout.on('data', (piece: Buffer) => (stdout += piece.toString()));
  child.stderr.on('data', (piece: Buffer) => {
    stderr += piece.toString();
    look();
  });
  const ended = new Promise<Ended>((done) => child.on('close', (code) => done({ code, stdout, stderr })));
  const process_: Running = {
    ended,
    said: (pattern) =>
      new Promise((found, lost) => {
        look = () => {
          const match = pattern.exec(stderr);
          if (match) found(match);
        };
        look();
        void ended.then(() => lost(new Error(`ended before it said ${String(pattern)}: ${stderr}`)));
      }),
    kill: (signal) => void child.kill(signal),
  };
  running.push(process_);
  return process_;
}

/** The one JSON value on stdout. */
async function json(...args: readonly string[]): Promise<{ code: number | null; value: unknown }> {
  const { code, stdout } = await freshet(...args, '--json').ended;
  return { code, value: JSON.parse(stdout) };
}

/** A running product, and `--url` for the verbs that ask it. */
async function started(): Promise<{ url: readonly string[]; product: Running }> {
  const product = freshet('start');
  const [, address = ''] = await product.said(/Freshet listens at (\S+)/);
  const after = { helpdesk: await positionOf(database) };
  const reply = await fetch(`${address}/v1/search`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query: 'x', after, waitFor: 'complete', waitMs: 60_000 }),
  });
  expect(reply.status).toBe(200);
  return { url: ['--url', address], product };
}

test('check, setup and start --until-caught-up end with 0, and say so as one JSON value', async () => {
  expect(await json('check')).toMatchObject({ code: 0, value: { ok: true } });
  expect(await json('setup')).toMatchObject({ code: 0, value: { ready: expect.any(Array) as unknown } });
  expect((await json('setup')).code).toBe(0);
  const caughtUp = { code: 0, value: { stopped: true, caughtUp: true } };
  expect(await json('start', '--until-caught-up')).toMatchObject(caughtUp);
  expect(await json('start', '--until-caught-up')).toMatchObject(caughtUp);
  const plain = await freshet('check').ended;
  expect([plain.code, plain.stdout]).toEqual([0, expect.stringContaining('Everything is ready.')]);
  expect(plain.stdout + plain.stderr).not.toContain(new URL(database.url).password || 'no password');
});

test('SIGTERM drains and ends with 0', async () => {
  const { product } = await started();
  product.kill('SIGTERM');
  expect((await product.ended).code).toBe(0);
});

test('status, search, ask and explain tell of a running product', async () => {
  const { url } = await started();
  const status = await json('status', ...url);
  expect(status).toMatchObject({
    code: 0,
    value: {
      ready: true,
      sources: { helpdesk: { kind: 'postgres', state: 'streaming', documents: 1 } },
      deadLetters: {},
    },
  });
  const id = 'helpdesk/public.pages/1';
  expect(await json('search', 'heron', '--k', '1', ...url)).toMatchObject({
    code: 0,
    value: { results: [{ documentId: id, rank: 1 }], asOf: { helpdesk: { position: expect.any(String) as unknown } } },
  });
  expect(await json('search', 'heron', '--tenant', 'other', ...url)).toMatchObject({ code: 0, value: { results: [] } });
  expect(await json('ask', 'Where does the heron stand?', ...url)).toMatchObject({
    code: 0,
    value: { refused: false, citations: [{ documentId: id }] },
  });
  for (const asked of [id, `${id}#0`])
    expect(await json('explain', asked, ...url)).toMatchObject({
      code: 0,
      value: { documentId: id, searchable: true },
    });
  expect(await json('explain', 'helpdesk/public.pages/99', ...url)).toMatchObject({ value: { searchable: false } });
  const words = await freshet('search', 'heron', ...url).ended;
  expect(words.stdout).toContain('shallow river');
});

test('failures are listed, shown, retried and discarded', async () => {
  await database.sql(`INSERT INTO pages VALUES (2, 'x', 'no tenant', NULL), (3, 'y', 'none either', NULL)`);
  const { url } = await started();
  const listed = (await json('failures', 'list', ...url)).value as { failures: { id: string; documentId: string }[] };
  expect(listed.failures.map(({ documentId }) => documentId).toSorted()).toEqual([
    'helpdesk/public.pages/2',
    'helpdesk/public.pages/3',
  ]);
  const [first = '', second = ''] = listed.failures.map(({ id }) => id);
  expect(await json('failures', 'show', first, ...url)).toMatchObject({
    code: 0,
    value: { id: first, code: 'FRESHET_MAPPING_FAILED', stage: 'decode-change', state: 'open' },
  });
  expect(await json('failures', 'discard', first, ...url)).toMatchObject({ code: 0, value: { discarded: [first] } });
  expect(await json('failures', 'retry', second, ...url)).toMatchObject({ code: 0, value: { retried: [second] } });
  expect((await json('failures', 'show', 'no/0/7', ...url)).code).toBe(1);
});

describe('exit codes', () => {
  test('2 for bad usage and for a config with faults, all of which are named', async () => {
    expect(await json('serch')).toMatchObject({ code: 2, value: { error: { code: 'FRESHET_INVALID_USAGE' } } });
    expect((await json('search', 'x', '--kk', '3')).code).toBe(2);
    await writeConfig({ server: { port: 'eighty' }, colour: 'blue' });
    const bad = await json('check');
    expect(bad).toMatchObject({ code: 2, value: { error: { code: 'FRESHET_INVALID_CONFIG' } } });
    const { faults } = (bad.value as { error: { faults: { path: string }[] } }).error;
    expect(faults.map(({ path }) => path).toSorted()).toEqual(['colour', 'server.port']);
    await rm(join(folder, 'freshet.yaml'));
    expect((await json('start')).code).toBe(2);
  });

  test('1 when nothing answers, and when something is to be mended', async () => {
    const nowhere = await json('status', '--url', 'http://127.0.0.1:1');
    expect(nowhere).toMatchObject({ code: 1, value: { error: { code: 'FRESHET_SERVER_UNREACHABLE' } } });
    await database.sql('DROP TABLE pages');
    const checked = await json('check');
    expect(checked).toMatchObject({ code: 1, value: { ok: false } });
    expect(JSON.stringify(checked.value)).toContain('public.pages');
    expect(await json('start', '--until-caught-up')).toMatchObject({
      code: 1,
      value: { error: { code: 'FRESHET_SOURCE_MISCONFIGURED' } },
    });
  });
});
