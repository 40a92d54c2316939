import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { root } from './source-files.ts';

/** Where the compiled product lies; the lanes that need it build `dist` first. */
const MAIN = resolve(root, process.env['FRESHET_TEST_DIST'] ?? 'dist', 'cli/main.js');

/** `freshet demo` as a child process, on a folder and a port of its own. */
export interface RunningDemo extends AsyncDisposable {
  readonly address: string;
}

/** Resolves when the demo has answered its own first question. @throws Error with what it said when it ends before. */
export async function startDemo(): Promise<RunningDemo> {
  const folder = await mkdtemp(join(tmpdir(), 'freshet-demo-'));
  const child = spawn(process.execPath, [MAIN, 'demo', '--port', '0'], {
    cwd: folder,
    env: { ...process.env, FRESHET_DATA_DIR: join(folder, 'state'), NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise<void>((done) => child.once('close', () => done()));
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    await ended;
    await rm(folder, { recursive: true, force: true });
  };
  try {
    let said = '';
    const address = await new Promise<string>((found, lost) => {
      const take = (piece: Buffer): void => {
        said += piece.toString();
        const ready = /Freshet is ready at (\S+)[\s\S]*Ctrl-C/.exec(said);
        if (ready?.[1]) found(ready[1]);
      };
      child.stdout.on('data', take);
      child.stderr.on('data', take);
      void ended.then(() => lost(new Error(`the demo ended: ${said}`)));
    });
    return { address, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
