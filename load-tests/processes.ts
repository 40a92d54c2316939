import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { packageRoot } from '../cli/package-root.ts';
import type { TeiStubCounters, TeiStubOptions } from '../test/support/tei-stub.ts';
import { cpuSecondsOf } from './measure.ts';

const TAIL_CHARACTERS = 4_000;

/** `freshet start` with some roles. */
export class RoleProcess {
  /** Resolves to where it listens, when it does. */
  readonly address: Promise<string>;
  readonly #child: ChildProcess;
  #stderr = '';
  #killed = false;
  #cpuAtEnd = 0;

  constructor(child: ChildProcess) {
    this.#child = child;
    this.address = new Promise((resolve, reject) => {
      child.stderr?.on('data', (chunk: Buffer) => {
        this.#stderr = (this.#stderr + chunk.toString()).slice(-TAIL_CHARACTERS);
        const found = /listens at (http:\/\/[\d.:]+)\s/.exec(this.#stderr)?.[1];
        if (found !== undefined) resolve(found);
      });
      child.once('exit', () => reject(new Error(this.#stderr)));
    });
    this.address.catch(() => undefined); // whoever waits for it gets the error
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get cpuSeconds(): number {
    return this.#killed ? this.#cpuAtEnd : cpuSecondsOf(this.#child.pid ?? 0);
  }

  /** What it said before it ended by itself. */
  get failure(): string | undefined {
    return !this.#killed && this.#child.exitCode !== null ? this.#stderr : undefined;
  }

  async metrics(): Promise<string> {
    return (await fetch(`${await this.address}/metrics`)).text();
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (this.#killed) return;
    this.#cpuAtEnd = this.cpuSeconds;
    this.#killed = true;
    if (this.#child.exitCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill(signal);
    await ended;
  }
}

export function startProcess(
  configFile: string,
  roles: string,
  { dataDir, node }: { readonly dataDir: string; readonly node: readonly string[] },
): RoleProcess {
  const entry = fileURLToPath(new URL('bin/freshet.js', packageRoot()));
  const args = [...node, entry, 'start', '--config', configFile, '--roles', roles];
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, FRESHET_DATA_DIR: dataDir },
  });
  const killWithUs = (): void => void child.kill('SIGKILL');
  process.once('exit', killWithUs);
  child.once('exit', () => process.removeListener('exit', killWithUs));
  return new RoleProcess(child);
}

/** A server that a bench measures with or against, as a process. */
export interface ServerProcess extends AsyncDisposable {
  readonly url: string;
  readonly cpuSeconds: number;
}

/** The stand-in for a TEI server. */
export interface StubProcess extends ServerProcess {
  counters(): Promise<TeiStubCounters>;
}

export async function startStub(options: TeiStubOptions): Promise<StubProcess> {
  const server = await startServer('../test/support/tei-stub-main.js', JSON.stringify(options));
  return Object.assign(server, {
    counters: async () => (await (await fetch(`${server.url}/stub/counters`)).json()) as TeiStubCounters,
  });
}

/** A server that parses a body and answers, as a process. */
export function startPlainServer(): Promise<ServerProcess> {
  return startServer('plain-server-main.js');
}

async function startServer(script: string, ...args: readonly string[]): Promise<ServerProcess> {
  const entry = fileURLToPath(new URL(script, import.meta.url));
  const child = spawn(process.execPath, [entry, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  const { url } = JSON.parse(line) as { url: string };
  return {
    url,
    get cpuSeconds() {
      return cpuSecondsOf(child.pid ?? 0);
    },
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      await once(child, 'exit');
    },
  };
}
