import { describe, expect, test } from 'vitest';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { systemClock } from '../runtime/clock.ts';
import { runCli } from './run-cli.ts';
import { verbs } from './verbs.ts';

async function run(args: readonly string[], env: Record<string, string> = {}) {
  let stdout = '';
  let stderr = '';
  const exitCode = await runCli(args, {
    env,
    streams: { stdout: (text) => (stdout += text), stderr: (text) => (stderr += text), isTerminal: false },
    clock: systemClock,
    fetch: globalThis.fetch,
    signal: new AbortController().signal,
  });
  return { exitCode, stdout, stderr };
}

/** A server that answers every request the same and keeps what it was asked. */
async function aServer(status: number, body: unknown) {
  const requests: { method?: string; url?: string; headers: Record<string, unknown>; body: string }[] = [];
  const server: Server = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk: Buffer) => (text += chunk.toString()));
    request.on('end', () => {
      requests.push({
        method: request.method ?? '',
        url: request.url ?? '',
        headers: { ...request.headers },
        body: text,
      });
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}

const aSearchReply = {
  results: [
    {
      passageId: 'helpdesk/public.articles/1#0',
      documentId: 'helpdesk/public.articles/1',
      title: 'Resetting\u001b[31m a password',
      text: 'Open the settings.\n\nThen choose reset.',
      rank: 1,
      version: '7',
      committedAt: 0,
      indexedAt: 0,
      source: { name: 'helpdesk', table: 'public.articles', key: '1' },
      span: { start: 0, end: 10 },
      metadata: {},
    },
  ],
  asOf: {},
  coverage: { dense: 1 },
  timingsMs: {},
  traceId: 't',
};

describe('usage', () => {
  test('help lists every verb and exits with 0', async () => {
    for (const args of [['help'], ['--help'], ['-h']]) {
      const { exitCode, stdout } = await run(args);
      expect(exitCode).toBe(0);
      for (const verb of verbs) expect(stdout).toContain(`  ${verb.name} `);
    }
  });

  test('no verb shows the overview and exits with 2', async () => {
    expect(await run([])).toMatchObject({ exitCode: 2, stderr: 'freshet: which verb?\n' });
  });

  test.each(verbs.map((verb) => verb.name))(
    'help of %s shows usage and flags, also as a flag of the verb',
    async (name) => {
      const help = await run(['help', name]);
      expect(help).toEqual({ exitCode: 0, stdout: expect.stringContaining(`usage: freshet ${name}`), stderr: '' });
      expect((await run([name, '--help'])).stdout).toBe(help.stdout);
    },
  );

  test.each(verbs)('every flag of $name is explained', (verb) => {
    expect(Object.keys(verb.flagHelp).toSorted()).toEqual(Object.keys(verb.flags).toSorted());
  });

  test.each([
    [['serach', 'x'], 'unknown verb "serach"; did you mean `freshet search`? (`freshet help` lists them)'],
    [['xyzzy'], 'unknown verb "xyzzy" (`freshet help` lists them)'],
    [['upgrade', 'plan'], '`freshet upgrade` is not in this version'],
    [
      ['search', 'x', '--tenent', 'a'],
      'unknown flag --tenent of search; did you mean --tenant? (see `freshet help search`)',
    ],
    [['search'], 'usage: freshet search <text> [--k 8] [--mode hybrid] [--filter name=value]'],
    [['search', 'x', '--k'], '--k needs a value (see `freshet help search`)'],
    [['search', 'x', '--k', '--json'], '--k needs a value; got the flag --json (see `freshet help search`)'],
    [['search', 'x', '--k', '0'], '--k expects an integer from 1 to 100; got "0"'],
    [
      ['search', 'x', '--mode', 'hybird'],
      '--mode expects one of hybrid, lexical, dense; got "hybird"; did you mean hybrid?',
    ],
    [['search', 'x', '--filter', 'a'], '--filter expects name=value, name>=x or name<x; got "a"'],
    [['status', '--json=yes'], '--json takes no value (see `freshet help status`)'],
    [
      ['start', '--roles', 'conectors'],
      '--roles expects some of connectors, prepare, index, query; got "conectors"; did you mean connectors?',
    ],
  ])('freshet %j is a wrong usage', async (args, message) => {
    const { exitCode, stdout, stderr } = await run(args);
    expect({ exitCode, stderr }).toEqual({ exitCode: 2, stderr: `freshet: ${message}\n` });
    if (!args.includes('--json')) expect(stdout).toBe('');
  });

  test('with --json an error is one JSON value on stdout', async () => {
    const { exitCode, stdout, stderr } = await run(['check', '--config', '/nowhere.yaml', '--json']);
    expect(exitCode).toBe(2);
    expect(JSON.parse(stdout)).toEqual({
      error: {
        code: 'FRESHET_INVALID_CONFIG',
        message: expect.stringContaining('/nowhere.yaml: there is no such file'),
      },
    });
    expect(stderr).toContain('there is no such file');
  });

  test('version prints the version of the package', async () => {
    const { stdout } = await run(['version', '--json']);
    expect(JSON.parse(stdout)).toEqual({ freshet: expect.stringMatching(/^\d+\.\d+\.\d+/), node: process.version });
    expect((await run(['--version'])).stdout).toMatch(/^freshet \d/);
  });
});

describe('verbs that talk to a running server', () => {
  test('search sends what was asked and prints the results without control characters', async () => {
    await using server = await aServer(200, aSearchReply);
    const flags = `--url ${server.url} --k 3 --mode lexical --tenant acme --groups a,b --filter year>=2020 --filter kind=faq`;
    const { exitCode, stdout } = await run(['search', 'reset', 'password', ...flags.split(' ')]);
    expect(exitCode).toBe(0);
    expect(server.requests).toMatchObject([
      { method: 'POST', url: '/v1/search', headers: { 'x-freshet-tenant': 'acme', 'x-freshet-groups': 'a,b' } },
    ]);
    expect(JSON.parse(server.requests[0]!.body)).toEqual({
      query: 'reset password',
      k: 3,
      mode: 'lexical',
      filter: { kind: 'faq', year: { gte: 2020 } },
    });
    expect(stdout).toBe(
      [
        '1. Resetting[31m a password',
        '   helpdesk/public.articles/1#0  changed 1970-01-01T00:00:00.000Z',
        '   Open the settings. Then choose reset.',
        '',
      ].join('\n'),
    );
  });

  test('with --json the reply is printed as it came', async () => {
    await using server = await aServer(200, aSearchReply);
    const { stdout, stderr } = await run(['search', 'x', '--url', server.url, '--json']);
    expect(JSON.parse(stdout)).toEqual(aSearchReply);
    expect(stderr).toBe('');
  });

  test('a problem reply becomes one line with the code of the server', async () => {
    await using server = await aServer(503, { title: 'Not fresh yet', code: 'FRESHET_NOT_FRESH_YET' });
    expect(await run(['ask', 'why', '--url', server.url])).toEqual({
      exitCode: 1,
      stdout: '',
      stderr: 'freshet: the server refused: Not fresh yet [FRESHET_NOT_FRESH_YET] (FRESHET_SERVER_REFUSED)\n',
    });
  });

  test('when nothing listens the error says how to start it', async () => {
    const server = await aServer(200, {});
    await server[Symbol.asyncDispose]();
    expect(await run(['search', 'x', '--url', server.url])).toEqual({
      exitCode: 1,
      stdout: '',
      stderr: `freshet: nothing answers at ${server.url}; start it with \`freshet start\` (FRESHET_SERVER_UNREACHABLE)\n`,
    });
  });
});
