import { createHmac, randomBytes, randomUUID } from 'node:crypto';
import { Agent, request } from 'node:http';
import { systemClock } from '../runtime/clock.ts';
import type { Log } from '../ports/log/log.ts';
import { pagesOf } from '../ports/log/partitions.ts';
import { hookTopic } from '../schemas/topics.ts';
import { SOURCE, textOf } from './corpus.ts';
import { load, onLanes, quantile, secondsOf, type Figures } from './measure.ts';
import type { RoleProcess } from './processes.ts';

/** Connections of the sender. */
const CONNECTIONS = 64;
/** Of the text of an event. */
const CHARACTERS = 600;
const KEY = randomBytes(24);

/** How a receiver checks what is sent here. */
export const SIGNATURE = { scheme: 'standard-webhooks', secret: `whsec_${KEY.toString('base64')}` } as const;

/** A delivery, signed and ready to be sent. */
interface Signed {
  readonly id: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** How deliveries are measured, whichever log they go to. */
export const NOTES = [
  `${CONNECTIONS} connections in a closed loop, ${CHARACTERS} characters in each event, bodies signed before the clock runs. The client is the bench itself, on the same cores, and costs more than either server: the ratio flatters, the CPU of each does not.`,
  'At the end the receiver is killed under load; every event that it had accepted must be in the log.',
  'A burst above capacity is not driven here: `connectors/webhook/webhook-routes.test.ts` shows the 429.',
];

/** What takes part in a measurement. */
export interface Receivers {
  /** Only answers. */
  readonly plain: { readonly url: string; readonly cpuSeconds: number };
  /** Has the role `connectors`, with a source of webhooks. */
  readonly hooks: RoleProcess;
  /** The log that it writes to, for as long as `read` takes, once the receiver is dead. */
  readonly withLog: <T>(read: (log: Log) => Promise<T>) => Promise<T>;
  readonly rounds: number;
  /** Events of a round. */
  readonly count: number;
  readonly say: (line: string) => void;
}

/** Measures a receiver of webhooks beside a server that only answers, and ends by killing it (G17). */
export async function measureReceiver(figures: Figures, receivers: Receivers): Promise<void> {
  const { plain, hooks, rounds, count, say } = receivers;
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
    const cpuOf = (end: number, start: number): number => (1e6 * (end - start)) / count;
    figures.add('plain Fastify', 'requests/s', rate(plain.url));
    figures.add('webhooks', 'requests/s', rate(receiver));
    figures.add('webhooks / plain', 'ratio', rate(receiver) / rate(plain.url), { atLeast: 0.75, from: 'G17' });
    figures.add('webhook, p50', 'ms', quantile(ms, 0.5));
    figures.add('webhook, p99', 'ms', quantile(ms, 0.99), { atMost: 10, from: 'G17' });
    figures.add('CPU of plain', 'ms per 1,000 requests', cpuOf(plain.cpuSeconds, before));
    figures.add('CPU of webhooks', 'ms per 1,000 requests', cpuOf(hooks.cpuSeconds, after));
    say(`plain ${rate(plain.url).toFixed(0)}, webhooks ${rate(receiver).toFixed(0)} requests/s`);
  }
  const lost = await lostByKill(receivers, receiver);
  figures.add('accepted and lost by kill -9', 'events', lost, { atMost: 0, from: 'G17' });
  figures.add('load average', '', load());
}

/** Kills the receiver in the middle of deliveries. @returns how many of those that it had accepted are not in the log */
async function lostByKill({ hooks, withLog, count }: Receivers, url: string): Promise<number> {
  const deliveries = signed(count);
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  const missing = new Set<string>();
  await onLanes(CONNECTIONS, count, async (n) => {
    const one = deliveries[n];
    if (!one) return;
    await post(url, one, agent).then(
      () => missing.add(one.id),
      () => undefined, // not accepted: the sender would come again
    );
    if (missing.size === Math.floor(count / 2)) void hooks.kill('SIGKILL');
  });
  agent.destroy();
  await withLog(async (log) => {
    for await (const id of loggedIds(log)) missing.delete(id);
  });
  return missing.size;
}

/** Of every event that the log holds. */
async function* loggedIds(log: Log): AsyncGenerator<string> {
  const topic = hookTopic(SOURCE);
  for (const { partition, earliest, next } of await log.describe([topic]))
    for await (const records of pagesOf(log, { topic, partition, offset: earliest }, next, 5_000))
      for (const { value } of records) {
        const [id] = (value && /msg_[0-9a-f-]{36}/.exec(Buffer.from(value).toString())) ?? [];
        if (id !== undefined) yield id;
      }
}

/** Deliveries of one event each. */
function signed(count: number): readonly Signed[] {
  const timestamp = String(Math.floor(systemClock.now() / 1_000));
  return Array.from({ length: count }, (_, n) => {
    const id = `msg_${randomUUID()}`;
    const event = { id, type: 'upsert', collection: 'tickets', key: id, document: { body: textOf(n, CHARACTERS) } };
    const body = JSON.stringify(event);
    const mac = createHmac('sha256', KEY).update(`${id}.${timestamp}.${body}`).digest('base64');
    const headers = { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${mac}` };
    return { id, body, headers: { ...headers, 'content-type': 'application/json' } };
  });
}

/** Sends them on many connections in a closed loop. @throws Error when a delivery is refused. */
async function deliver(
  url: string,
  deliveries: readonly Signed[],
): Promise<{ readonly seconds: number; readonly ms: readonly number[] }> {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  const ms: number[] = [];
  const seconds = await secondsOf(() =>
    onLanes(CONNECTIONS, deliveries.length, async (n) => {
      const one = deliveries[n];
      if (!one) return;
      ms.push(1000 * (await secondsOf(() => post(url, one, agent))));
    }),
  );
  agent.destroy();
  return { seconds, ms };
}

/** Sends one. @throws Error when it is refused, with the status. */
function post(url: string, { body, headers }: Signed, agent: Agent): Promise<void> {
  return new Promise((resolve, reject) => {
    const sent = request(url, {
      method: 'POST',
      headers: { ...headers, 'content-length': Buffer.byteLength(body) },
      agent,
    });
    sent.once('error', reject);
    sent.once('response', (reply) => {
      reply.resume();
      reply.once('error', reject);
      reply.once('end', () =>
        reply.statusCode === 202 ? resolve() : reject(new Error(`refused: ${reply.statusCode}`)),
      );
    });
    sent.end(body);
  });
}
