import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { once } from 'node:events';
import type { SearchRequest, SearchResponse } from '../../schemas/query.ts';
import { root } from './source-files.ts';

/** The end of the product's stderr that a failing test shows, characters. */
const TAIL_CHARACTERS = 8_000;

/** Folder of the compiled product; FRESHET_TEST_DIST names another one than `dist`. */
function entry(): string {
  const folder = process.env['FRESHET_TEST_DIST'] ?? 'dist';
  const path = join(isAbsolute(folder) ? folder : join(root, folder), 'cli', 'main.js');
  if (!existsSync(path)) throw new Error(`${path} is not there: run \`npm run build\` first.`);
  return path;
}

export interface LiveReply<T> {
  readonly status: number;
  readonly body: T;
}

/** How a process ended. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** `freshet start` as a process of its own. Disposing kills it; so does the end of the test process. */
export class LiveProduct implements AsyncDisposable {
  /** Where it listens. Rejects when the process ends before it does. */
  readonly address: Promise<string>;
  readonly #child: ChildProcess;
  readonly #ended: Promise<Ending>;
  readonly #killWithUs = (): void => void this.#child.kill('SIGKILL');
  #stderr = '';

  /** @param roles of the process; all when absent. @param dataDir instead of the config's, for several processes of one config. */
  constructor(configFile: string, roles?: string, dataDir?: string) {
    const args = [entry(), 'start', '--config', configFile, ...(roles === undefined ? [] : ['--roles', roles])];
    this.#child = spawn(process.execPath, args, {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, ...(dataDir !== undefined && { FRESHET_DATA_DIR: dataDir }) },
    });
    process.once('exit', this.#killWithUs);
    this.#ended = once(this.#child, 'exit').then(([code, signal]) => {
      process.removeListener('exit', this.#killWithUs);
      return { code: code as number | null, signal: signal as NodeJS.Signals | null };
    });
    const { address, isListening } = this.#readAddress();
    this.address = Promise.race([
      address,
      this.#ended.then((ending) => {
        if (isListening()) return address;
        throw new Error(`freshet start ended with ${JSON.stringify(ending)}: ${this.#stderr}`);
      }),
    ]);
    this.address.catch(() => undefined); // nobody may be waiting when it is killed
  }

  #readAddress(): { readonly address: Promise<string>; isListening: () => boolean } {
    let found = false;
    const address = new Promise<string>((resolve) => {
      this.#child.stderr?.on('data', (chunk: Buffer) => {
        this.#stderr = (this.#stderr + chunk.toString()).slice(-TAIL_CHARACTERS);
        if (found) return;
        const match = /listens at (http:\/\/[\d.:]+)\s/.exec(this.#stderr);
        if (!match?.[1]) return;
        found = true;
        resolve(match[1]);
      });
    });
    return { address, isListening: () => found };
  }

  /** The end of what it wrote to stderr. */
  get stderr(): string {
    return this.#stderr;
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  send(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Sends the signal and resolves when the process is gone. */
  async end(signal: NodeJS.Signals): Promise<Ending> {
    this.#child.kill(signal);
    return this.#ended;
  }

  async search(request: SearchRequest, signal?: AbortSignal): Promise<LiveReply<SearchResponse>> {
    return this.#request(
      '/v1/search',
      { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(request) },
      signal,
    );
  }

  async get<T>(path: string, signal?: AbortSignal): Promise<LiveReply<T>> {
    return this.#request(path, {}, signal);
  }

  async #request<T>(path: string, init: RequestInit, signal: AbortSignal | undefined): Promise<LiveReply<T>> {
    const reply = await fetch(`${await this.address}${path}`, { ...init, ...(signal && { signal }) });
    return { status: reply.status, body: (await reply.json()) as T };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.hasEnded) await this.end('SIGKILL');
  }
}
