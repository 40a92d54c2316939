import { Agent } from 'node:http';
import { pagesOf } from '../../ports/log/partitions.ts';
import { hookTopic } from '../../schemas/topics.ts';
import { SOURCE } from '../corpus.ts';
import { CHARACTERS, CONNECTIONS, deliver, post, signed, SIGNATURE } from '../hook-deliveries.ts';
import { Figures, load, onLanes, quantile, type Scenario } from '../measure.ts';
import { openPlace, type Place } from './place.ts';
import { startPlainServer, type RoleProcess } from '../processes.ts';

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
    const receiver = `${await hooks.address}/v1/hooks/${SOURCE}`;
    for (let round = 0; round < rounds; round++) {
      const [before, after] = [plain.cpuSeconds, hooks.cpuSeconds];
      // There and back again, so that neither has the warmer machine.
      const runs: (Awaited<ReturnType<typeof deliver>> & { readonly url: string })[] = [];
      for (const url of [plain.url, receiver, receiver, plain.url])
        runs.push({ url, ...(await deliver(url, signed(count / 2))) });
      const of = (url: string) => runs.filter((run) => run.url === url);
      const rate = (url: string): number => count / of(url).reduce((sum, { seconds }) => sum + seconds, 0);
      const ms = of(receiver).flatMap((run) => run.ms);
      figures.add('plain Fastify', 'requests/s', rate(plain.url));
      figures.add('webhooks', 'requests/s', rate(receiver));
      figures.add('webhooks / plain', 'ratio', rate(receiver) / rate(plain.url), { atLeast: 0.75, from: 'G17' });
      figures.add('webhook, p50', 'ms', quantile(ms, 0.5));
      figures.add('webhook, p99', 'ms', quantile(ms, 0.99), { atMost: 10, from: 'G17' });
      figures.add('CPU of plain', 'ms per 1,000 requests', (1e6 * (plain.cpuSeconds - before)) / count);
      figures.add('CPU of webhooks', 'ms per 1,000 requests', (1e6 * (hooks.cpuSeconds - after)) / count);
      say(`plain ${rate(plain.url).toFixed(0)}, webhooks ${rate(receiver).toFixed(0)} requests/s`);
    }
    figures.add('accepted and lost by kill -9', 'events', await lostByKill(place, hooks, receiver, count), {
      atMost: 0,
      from: 'G17',
    });
    figures.add('load average', '', load());
    return {
      figures: figures.all,
      notes: [
        `${CONNECTIONS} connections in a closed loop, ${CHARACTERS} characters in each event, bodies signed before the clock runs. The client is the bench itself, on the same cores, and costs more than either server: the ratio flatters, the CPU of each does not.`,
        'At the end the receiver is killed under load; every event that it had accepted must be in the log.',
        'A burst above capacity is not driven here: `connectors/webhook/webhook-routes.test.ts` shows the 429.',
      ],
    };
  },
};

/** Kills the receiver in the middle of deliveries. @returns how many of those that it had accepted are not in the log */
async function lostByKill(place: Place, hooks: RoleProcess, url: string, count: number): Promise<number> {
  const deliveries = signed(count);
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  const accepted = new Set<string>();
  await onLanes(CONNECTIONS, count, async (n) => {
    const one = deliveries[n];
    if (!one) return;
    await post(url, one, agent).then(
      () => accepted.add(one.id),
      () => undefined, // not accepted: the sender would come again
    );
    if (accepted.size === Math.floor(count / 2)) void hooks.kill('SIGKILL');
  });
  agent.destroy();
  const topic = hookTopic(SOURCE);
  const missing = new Set(accepted);
  for (const { partition, earliest, next } of await place.log.describe([topic]))
    for await (const records of pagesOf(place.log, { topic, partition, offset: earliest }, next, 5_000))
      for (const { value } of records) {
        const [id] = (value && /msg_[0-9a-f-]{36}/.exec(Buffer.from(value).toString())) ?? [];
        if (id !== undefined) missing.delete(id);
      }
  return missing.size;
}
