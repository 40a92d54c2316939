import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { silentLogger } from '../../runtime/logger.ts';
import { FakeClock } from '../../test/support/fake-clock.ts';
import { systemClock } from '../../runtime/clock.ts';
import { ConnectClient } from './connect-client.ts';
import { TaskWatch } from './task-watch.ts';

const never = new AbortController().signal;

let replies: Record<string, { readonly status: number; readonly body: unknown }>;
let requests: string[];
let server: ReturnType<typeof createServer>;
let connect: ConnectClient;

beforeEach(async () => {
  replies = {};
  requests = [];
  server = createServer((request, response) => {
    const name = `${request.method} ${request.url}`;
    requests.push(name);
    const { status, body } = replies[name] ?? { status: 404, body: { error_code: 404, message: 'HTTP 404 Not Found' } };
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  connect = new ConnectClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`, ['s3cret'], systemClock);
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
});

const status = (connector: string, task: string, trace = ''): { status: number; body: unknown } => ({
  status: 200,
  body: { connector: { state: connector }, tasks: [{ id: 0, state: task, trace }] },
});

describe('Kafka Connect', () => {
  test('a connector that is what it should be is left alone, because every change restarts its task', async () => {
    replies['GET /connectors/a/config'] = { status: 200, body: { name: 'a', x: '1' } };
    await connect.register('a', { x: '1' }, 'RUNNING', never);
    expect(requests).toEqual(['GET /connectors/a/config']);
    replies['PUT /connectors/a/config'] = { status: 200, body: {} };
    await connect.register('a', { x: '2' }, 'RUNNING', never);
    expect(requests.at(-1)).toBe('PUT /connectors/a/config');
  });

  test.each([
    [400, 'FRESHET_SOURCE_MISCONFIGURED'],
    [401, 'FRESHET_SOURCE_MISCONFIGURED'],
    [409, 'FRESHET_SOURCE_UNAVAILABLE'],
    [500, 'FRESHET_SOURCE_UNAVAILABLE'],
  ])('a reply of %i is %s, and shows no password', async (code, expected) => {
    replies['GET /connectors/a/status'] = { status: code, body: { message: 'login with s3cret failed' } };
    await expect(connect.status('a', never)).rejects.toMatchObject({
      code: expected,
      message: expect.stringContaining('login with *** failed') as string,
    });
  });

  test('one that is too old to tell offsets is named as such; a connector that does not exist has none', async () => {
    replies['GET /connectors/a/offsets'] = { status: 404, body: { message: 'HTTP 404' } };
    await expect(connect.offset('a', never)).rejects.toThrow(/3\.7/);
    replies['GET /connectors/a/offsets'] = { status: 404, body: { message: 'Connector a not found' } };
    expect(await connect.offset('a', never)).toBeUndefined();
  });

  test('a failed task is started again, later each time, and a lost log asks for a re-read instead', async () => {
    const clock = new FakeClock();
    const watch = new TaskWatch('a', connect, { clock, random: () => 1, logger: silentLogger });
    replies['GET /connectors/a/status'] = status('RUNNING', 'FAILED', 'java.lang.X: at\nCaused by: Y: password s3cret');
    replies['POST /connectors/a/restart?includeTasks=true&onlyFailed=true'] = { status: 202, body: {} };
    const restarts = (): number => requests.filter((each) => each.startsWith('POST')).length;
    expect(await watch.look(never)).toBe('The task has failed: Y: password ***');
    expect(restarts()).toBe(0);
    await clock.advance(1_100);
    await watch.look(never);
    expect(restarts()).toBe(1);
    await clock.advance(1_100);
    await watch.look(never);
    await clock.advance(1_100);
    await watch.look(never);
    expect(restarts()).toBe(1); // the second one waits for two seconds
    replies['GET /connectors/a/status'] = status('RUNNING', 'FAILED', 'x is no longer available on the server');
    await clock.advance(1_100);
    await expect(watch.look(never)).rejects.toMatchObject({ reason: 'log-lost' });
  });
});
