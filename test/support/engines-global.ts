import { createConnection } from 'node:net';
import type { TestProject } from 'vitest/node';
import { engineVariables, readStack, stackEnvironment } from '../../deploy/local/stack.ts';
import './postgres-global.ts';

/**
 * Tells the tests where the engines are: the environment says so, or else the stack that `npm run engines` has left running.
 * @throws Error naming every engine that is missing, because a lane that skips what it cannot reach proves nothing.
 */
export default async function setup(project: TestProject): Promise<void> {
  const stack = await readStack();
  // Workers are started later and inherit it. What somebody has set by hand wins.
  for (const [name, value] of Object.entries(stack ? stackEnvironment(stack) : {})) process.env[name] ??= value;
  const faults = await Promise.all(Object.values(engineVariables).map(faultOf));
  const found = faults.filter((each) => each !== undefined);
  if (found.length > 0) throw new Error(`${found.join('\n')}\nRun npm run engines first.`);
  project.provide('postgresUrl', process.env['POSTGRES_TEST_URL'] ?? '');
}

async function faultOf(variable: string): Promise<string | undefined> {
  const url = process.env[variable];
  if (!url) return `${variable} is not set.`;
  const addresses = url.split(',').map((each) => new URL(each.includes('://') ? each : `tcp://${each}`));
  const silent = [];
  for (const address of addresses) if (!(await listens(address))) silent.push(address.host);
  return silent.length > 0 ? `${variable} names ${silent.join(', ')}, where nobody listens.` : undefined;
}

function listens(address: URL): Promise<boolean> {
  return new Promise((done) => {
    const socket = createConnection({ host: address.hostname, port: Number(address.port), timeout: 5_000 });
    socket.once('connect', () => done(true));
    socket.once('error', () => done(false));
    socket.once('timeout', () => done(false));
    socket.once('connect', () => socket.destroy()).once('timeout', () => socket.destroy());
  });
}
