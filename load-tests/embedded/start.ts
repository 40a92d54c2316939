import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { packageRoot } from '../../cli/package-root.ts';
import { systemClock } from '../../runtime/clock.ts';
import { Figures, load, type Scenario } from '../measure.ts';

export const start: Scenario = {
  name: 'start',
  question:
    'How long from the command of `npm start` to the first cited answer, on a new folder and on one that was filled?',
  async run({ rounds, say }) {
    const figures = new Figures();
    for (let round = 0; round < rounds; round++) {
      const folder = await mkdtemp(join(tmpdir(), 'freshet-bench-'));
      await chmod(folder, 0o755); // the server runs as another user where this one is root
      try {
        const cold = await demo(folder);
        const warm = await demo(folder);
        figures.add('new folder -> first cited answer', 's', cold, { atMost: 20, from: 'G19' });
        figures.add('filled folder -> first cited answer', 's', warm, { atMost: 2, from: 'G19' });
        figures.add('load average', '', load());
        say(`new ${cold.toFixed(1)} s, filled ${warm.toFixed(1)} s`);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    }
    return {
      figures: figures.all,
      notes: [
        'The demo with `--once`: PostgreSQL is created, filled with the documentation of the installed packages and read; the clock stops when the answer is printed. With bge-small in process.',
      ],
    };
  },
};

/** Seconds until the answer was printed. @throws Error when it ends without one. */
async function demo(folder: string): Promise<number> {
  const entry = fileURLToPath(new URL('bin/freshet.js', packageRoot()));
  const begun = systemClock.monotonicMs();
  const child = spawn(process.execPath, [entry, 'demo', '--once'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, FRESHET_DATA_DIR: folder },
  });
  let errors = '';
  let answeredMs = Number.NaN;
  child.stdout.on('data', (chunk: Buffer) => {
    if (chunk.toString().includes('Q: ')) answeredMs = systemClock.monotonicMs() - begun;
  });
  child.stderr.on('data', (chunk: Buffer) => (errors = (errors + chunk.toString()).slice(-2_000)));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`the demo ended with ${code}: ${errors}`);
  return answeredMs / 1_000;
}
