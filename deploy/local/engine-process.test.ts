import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { EngineProcess, type Command } from './engine-process.ts';
import { startNodes } from './engine.ts';
import { isRunning } from './running-process.ts';

let dir: string;
const started: EngineProcess[] = [];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'freshet-engine-'));
});

afterEach(async () => {
  await Promise.all(started.splice(0).map((each) => each.kill('SIGKILL')));
  await rm(dir, { recursive: true, force: true });
});

/** A shell script in the place of an engine. */
function script(text: string, changes: Partial<Command> = {}): Command {
  return {
    name: 'script',
    program: '/bin/sh',
    args: ['-c', text],
    logFile: join(dir, 'script.log'),
    isReady: (log) => log.includes('ready'),
    readyTimeoutMs: 20_000,
    ...changes,
  };
}

function processOf(command: Command): EngineProcess {
  const process = new EngineProcess(command);
  started.push(process);
  return process;
}

describe('a process of an engine', () => {
  test('has started once it takes work', async () => {
    const engine = processOf(script('sleep 0.3; echo ready; exec sleep 60'));
    await engine.start();
    expect(engine.isRunning).toBe(true);
    expect(engine.log()).toBe('ready\n');
  });

  test('that ends while it starts fails with the end of its log', async () => {
    await expect(processOf(script('echo the port is taken; exit 3')).start()).rejects.toThrow(
      /script ended while it was starting\.[\s\S]*the port is taken/,
    );
  });

  test('that does not get ready in time is not left running', async () => {
    const engine = processOf(script('exec sleep 60', { readyTimeoutMs: 200 }));
    await expect(engine.start()).rejects.toThrow('The start of script did not happen within 0.2 s.');
    expect(engine.isRunning).toBe(false);
  });

  test('whose program is not there fails and names it', async () => {
    await expect(processOf(script('', { program: join(dir, 'nothing') })).start()).rejects.toThrow('script');
  });

  test('given up while it starts is not left running', async () => {
    const engine = processOf(script('exec sleep 60'));
    const patience = new AbortController();
    const start = engine.start(patience.signal);
    patience.abort(new Error('enough'));
    await expect(start).rejects.toThrow();
    expect(engine.isRunning).toBe(false);
  });

  test('is killed with the processes that it has started', async () => {
    const engine = processOf(script('sleep 61 & echo $!; echo ready; wait'));
    await engine.start();
    const child = Number(engine.log().split('\n')[0]);
    expect(isRunning({ pid: child, dir: 'sleep' })).toBe(true);
    await engine.kill('SIGKILL');
    await expect.poll(() => isRunning({ pid: child, dir: 'sleep' })).toBe(false);
  });

  test('paused by SIGSTOP still stops', async () => {
    const engine = processOf(script('trap "exit 0" TERM; echo ready; while :; do sleep 0.1; done'));
    await engine.start();
    await engine.kill('SIGSTOP');
    await engine.stop();
    expect(engine.isRunning).toBe(false);
  });

  test('is ready after a restart by what it has written since', async () => {
    const once = join(dir, 'once');
    const engine = processOf(script(`[ -e ${once} ] && sleep 0.3; touch ${once}; echo ready; exec sleep 60`));
    await engine.start();
    await engine.kill('SIGKILL');
    await engine.start();
    expect(engine.log()).toBe('ready\n');
  });
});

describe('an engine of several nodes', () => {
  test('leaves no node running when one of them does not start', async () => {
    const pidFile = join(dir, 'pid');
    const good = script(`echo $$ > ${pidFile}; echo ready; exec sleep 62`, { logFile: join(dir, 'good.log') });
    const bad = script('sleep 0.3; exit 1', { logFile: join(dir, 'bad.log'), name: 'bad' });
    await expect(startNodes('', [good, bad])).rejects.toThrow('bad ended');
    expect(isRunning({ pid: Number(await readFile(pidFile, 'utf8')), dir: 'sleep' })).toBe(false);
  });

  test('kills and starts the node that is named', async () => {
    const command = (name: string) => script('echo ready; exec sleep 63', { name, logFile: join(dir, name) });
    await using engine = await startNodes('', [command('a'), command('b')]);
    await engine.kill('SIGKILL', 1);
    expect(engine.nodes.map((node) => node.isRunning)).toEqual([true, false]);
    await engine.restart(1);
    expect(engine.nodes.map((node) => node.isRunning)).toEqual([true, true]);
    await expect(engine.restart(2)).rejects.toThrow('There is no node 2');
  });
});
