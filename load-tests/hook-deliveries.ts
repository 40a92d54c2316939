import { createHmac, randomBytes, randomUUID } from 'node:crypto';
import { Agent, request } from 'node:http';
import { systemClock } from '../runtime/clock.ts';
import { textOf } from './corpus.ts';
import { onLanes, secondsOf } from './measure.ts';

/** Connections of the sender. */
export const CONNECTIONS = 64;
/** Of the text of an event. */
export const CHARACTERS = 600;
const KEY = randomBytes(24);

/** How a receiver checks what is sent here. */
export const SIGNATURE = { scheme: 'standard-webhooks', secret: `whsec_${KEY.toString('base64')}` } as const;

/** A delivery, signed and ready to be sent. */
export interface Signed {
  readonly id: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Deliveries of one event each. */
export function signed(count: number): readonly Signed[] {
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
export async function deliver(
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
export function post(url: string, { body, headers }: Signed, agent: Agent): Promise<void> {
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
