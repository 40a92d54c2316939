import { mkdir } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { startNodes, type Engine } from './engine.ts';
import { keptPort } from './free-port.ts';
import { passwordOf } from './password.ts';
import { requireProgram } from './requirements.ts';

export interface RedisOptions {
  readonly dir: string;
  /** On 127.0.0.1; taken only if it is free. */
  readonly port?: number;
  /** Settings as the command line takes them, e.g. `{ maxmemory: '10mb' }`; they win over ours. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly keep?: boolean;
}

const READY_TIMEOUT_MS = 30_000;

/** Starts Redis, with its append-only file. `url` is `redis://:password@host:port`. */
export async function startRedis(options: RedisOptions, signal?: AbortSignal): Promise<Engine> {
  const { dir, keep = false } = options;
  const program = requireProgram('redis-server');
  await mkdir(dir, { recursive: true });
  const port = await keptPort(dir, options.port);
  const password = await passwordOf(dir);
  const settings = {
    bind: '127.0.0.1',
    port: String(port),
    dir,
    requirepass: password,
    appendonly: 'yes',
    save: '',
    // BullMQ asks for it: a queue must not lose jobs to make room.
    'maxmemory-policy': 'noeviction',
    'enable-debug-command': 'local',
    // The title would hide the folder, by which a process of ours is known again.
    'set-proc-title': 'no',
    ...options.settings,
  };
  const command = {
    name: 'redis',
    program,
    args: Object.entries(settings).flatMap(([key, value]) => [`--${key}`, value]),
    logFile: join(dir, 'redis.log'),
    keep,
    isReady: (_log: string, probe: AbortSignal) => answersPing(port, password, probe),
    readyTimeoutMs: READY_TIMEOUT_MS,
  };
  return startNodes(`redis://:${password}@127.0.0.1:${port}`, [command], signal);
}

/** Redis answers an error instead of PONG while it still loads its file. */
function answersPing(port: number, password: string, signal: AbortSignal): Promise<boolean> {
  return new Promise((done) => {
    const socket = createConnection({ port, host: '127.0.0.1', signal });
    let reply = '';
    socket.on('connect', () => socket.write(`AUTH ${password}\r\nPING\r\n`));
    socket.on('data', (chunk) => {
      reply += chunk.toString();
      if (reply.includes('+PONG') || reply.includes('-')) socket.destroy();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => done(reply.includes('+PONG')));
  });
}
