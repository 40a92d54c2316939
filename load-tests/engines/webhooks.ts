import { SOURCE } from '../corpus.ts';
import { measureReceiver, NOTES, SIGNATURE } from '../hook-deliveries.ts';
import { Figures, type Scenario } from '../measure.ts';
import { startPlainServer } from '../processes.ts';
import { openPlace } from './place.ts';

const PARTITIONS = 3;

export const webhooks: Scenario = {
  name: 'webhooks',
  question: 'What do signed webhooks cost, durable in Kafka before the reply, beside a server that only answers?',
  async run({ rounds, quick, say }) {
    const figures = new Figures();
    const count = quick ? 1_000 : 20_000;
    await using plain = await startPlainServer();
    await using place = await openPlace({
      partitions: PARTITIONS,
      config: { sources: [{ name: SOURCE, kind: 'webhook', signature: SIGNATURE }] },
    });
    const hooks = place.start('connectors');
    await measureReceiver(figures, { plain, hooks, withLog: (read) => read(place.log), rounds, count, say });
    return { figures: figures.all, notes: NOTES };
  },
};
