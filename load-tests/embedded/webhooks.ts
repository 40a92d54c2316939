import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Log } from '../../ports/log/log.ts';
import { openSqliteLog } from '../../ports/log/sqlite-log.ts';
import { systemClock } from '../../runtime/clock.ts';
import { SOURCE } from '../corpus.ts';
import { measureReceiver, NOTES, SIGNATURE } from '../hook-deliveries.ts';
import { Figures, type Scenario } from '../measure.ts';
import { startPlainServer, startProcess } from '../processes.ts';

export const webhooks: Scenario = {
  name: 'webhooks',
  question:
    'What do signed webhooks cost, durable in the log of the process before the reply, beside a server that only answers?',
  async run({ rounds, quick, say }) {
    const figures = new Figures();
    const count = quick ? 1_000 : 20_000;
    const folder = await mkdtemp(join(tmpdir(), 'freshet-bench-'));
    await using plain = await startPlainServer();
    const configFile = join(folder, 'freshet.yaml');
    const sources = [{ name: SOURCE, kind: 'webhook', signature: SIGNATURE }];
    const config = { logLevel: 'warn', server: { port: 0 }, embedder: { kind: 'hash' }, sources };
    writeFileSync(configFile, JSON.stringify(config));
    const hooks = startProcess(configFile, 'connectors', { dataDir: folder, node: [] });
    const withLog = async <T>(read: (log: Log) => Promise<T>): Promise<T> => {
      await using log = openSqliteLog({ path: join(folder, 'log', 'log.db'), clock: systemClock });
      return await read(log);
    };
    try {
      await measureReceiver(figures, { plain, hooks, withLog, rounds, count, say });
    } finally {
      await hooks.kill();
      await rm(folder, { recursive: true, force: true });
    }
    return { figures: figures.all, notes: [...NOTES, 'The process has the role connectors only.'] };
  },
};
