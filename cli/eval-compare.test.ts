import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EvalResult } from '../eval/results/result.ts';
import { storeResult } from '../eval/results/results-folder.ts';
import { systemClock } from '../runtime/clock.ts';
import { aResult, aRunOf } from '../test/support/eval-result.ts';
import { runCli } from './run-cli.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'freshet-compare-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function run(...args: readonly string[]) {
  let stdout = '';
  let stderr = '';
  const exitCode = await runCli(['eval', ...args, '--out', join(folder, 'page.html')], {
    env: {},
    streams: { stdout: (text) => (stdout += text), stderr: (text) => (stderr += text), isTerminal: false },
    clock: systemClock,
    fetch: globalThis.fetch,
    signal: new AbortController().signal,
  });
  return { exitCode, stdout, stderr };
}

const stored = (result: EvalResult) => storeResult(join(folder, 'results'), result);
const ten = (value: number) => Array.from({ length: 10 }, () => value);

describe('eval compare', () => {
  it('exits with 1 when the second run is worse, with 0 when it is better, and writes the page', async () => {
    const good = await stored(aRunOf(ten(0.8)));
    const bad = await stored(aRunOf(ten(0.4), { measuredAt: '2026-02-02T00:00:00.000Z' }));
    const worse = await run('compare', good, bad);
    expect([worse.exitCode, worse.stderr]).toEqual([1, '']);
    expect(worse.stdout).toContain('B is worse: adi hybrid nDCG@10.');
    expect(await readFile(join(folder, 'page.html'), 'utf8')).toContain('B is worse');
    const better = await run('compare', bad, good, '--json');
    expect(better.exitCode).toBe(0);
    expect(JSON.parse(better.stdout)).toMatchObject({ verdict: 'better', metrics: [{ queries: 10, changed: 10 }] });
  });

  it('says what to do about a file that is not there, is no run, or is of another suite', async () => {
    const good = await stored(aResult());
    const golden = await stored(aResult({ suite: 'golden' }));
    const broken = join(folder, 'broken.json');
    await writeFile(broken, '{');
    const refused = async (...words: readonly string[]) => {
      const { exitCode, stderr } = await run('compare', ...words);
      expect(exitCode).toBe(2);
      return stderr;
    };
    expect(await refused(good)).toContain('usage: freshet eval compare <run A> <run B>');
    expect(await refused(good, join(folder, 'gone.json'))).toMatch(
      /there is no run .*gone\.json; `freshet eval` makes/,
    );
    expect(await refused(good, broken)).toMatch(/broken\.json is not JSON/);
    expect(await refused(good, golden)).toContain('one run is of the suite retrieval, the other of golden');
  });
});

describe('eval history', () => {
  it('shows every kept run of the suite, oldest first', async () => {
    await stored(aRunOf([0.5], { measuredAt: '2026-02-02T00:00:00.000Z', commit: 'b'.repeat(40) }));
    await stored(aRunOf([0.25], { measuredAt: '2026-01-01T00:00:00.000Z', commit: 'a'.repeat(40) }));
    await stored(aResult({ suite: 'golden' }));
    const { exitCode, stdout } = await run('history', '--results', join(folder, 'results'));
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/commit aaaaaaaaaa,[\s\S]*commit bbbbbbbbbb,[\s\S]*0\.250 +0\.500 +\+0\.250/);
  });

  it('names the command that makes a first run', async () => {
    const { exitCode, stderr } = await run('history', '--suite', 'golden', '--results', join(folder, 'none'));
    expect(exitCode).toBe(2);
    expect(stderr).toContain('`freshet eval --suite golden` makes one');
  });
});

it('eval gate refuses to hold to a baseline that is not there, before it measures anything', async () => {
  const { exitCode, stderr } = await run('gate', '--baseline', join(folder, 'none'));
  expect(exitCode).toBe(2);
  expect(stderr).toMatch(/there is no baseline .*retrieval\.json: .*--update/);
});
