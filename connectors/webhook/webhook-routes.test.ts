import { createHmac } from 'node:crypto';
import fastify, { type FastifyInstance } from 'fastify';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Log, LogRecord, Offset } from '../../ports/log/log.ts';
import { SqliteLog } from '../../ports/log/sqlite-log.ts';
import { systemClock, type Clock } from '../../runtime/clock.ts';
import { silentLogger } from '../../runtime/logger.ts';
import { createMetrics } from '../../runtime/metrics.ts';
import { hookTopic } from '../../schemas/topics.ts';
import { HOOK_IDS_TOPIC } from './delivery-records.ts';
import { HookIntake } from './hook-intake.ts';
import { standardWebhooksKey } from './signature.ts';

import { webhookRoutes } from './webhook-routes.ts';

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const PARTITIONS = 2;
const DAY_MS = 86_400_000;

let nowMs: number;
let log: Log;
let app: FastifyInstance;
let intake: HookIntake;
const clock: Clock = { ...systemClock, now: () => nowMs };

beforeEach(async () => {
  nowMs = 1_700_000_000_000;
  log = new SqliteLog({ path: ':memory:', clock });
  await start();
});
afterEach(async () => {
  await app.close();
  await log[Symbol.asyncDispose]();
});

/** As a new process would: state comes from the log alone. */
async function start(): Promise<void> {
  const metrics = createMetrics();
  intake = new HookIntake({
    config: {
      name: 'crm',
      kind: 'webhook',
      signature: { scheme: 'standard-webhooks', secret: SECRET },
      maxBodyBytes: 4_096,
    },
    log,
    partitions: PARTITIONS,
    retentionMs: DAY_MS,
    clock,
    random: () => 0.5,
    metrics,
    logger: silentLogger,
  });
  app = fastify();
  await app.register(webhookRoutes({ intakes: [intake], clock, metrics }));
  await app.ready();
}

const event = (over: object = {}) => ({
  id: `evt_${Math.random()}`,
  type: 'upsert',
  collection: 'tickets',
  key: '7',
  document: { body: 'text' },
  ...over,
});

interface Sent {
  readonly id?: string;
  readonly source?: string;
  readonly headers?: Record<string, string>;
}

async function send(body: object | string, { id = `msg_${Math.random()}`, source = 'crm', headers = {} }: Sent = {}) {
  const payload = typeof body === 'string' ? body : JSON.stringify(body);
  const seconds = String(Math.floor(nowMs / 1_000));
  const mac = createHmac('sha256', standardWebhooksKey(SECRET)).update(`${id}.${seconds}.${payload}`).digest('base64');
  const signed = { 'webhook-id': id, 'webhook-timestamp': seconds, 'webhook-signature': `v1,${mac}` };
  const reply = await app.inject({
    method: 'POST',
    url: `/v1/hooks/${source}`,
    headers: { 'content-type': 'application/json', ...signed, ...headers },
    payload,
  });
  return { status: reply.statusCode, body: JSON.parse(reply.body) as { accepted: number; position: string } };
}

async function recordsOf(topic: string, partitions = PARTITIONS): Promise<LogRecord[]> {
  const all: LogRecord[] = [];
  for (let partition = 0; partition < partitions; partition++)
    all.push(...(await log.fetch({ topic, partition, offset: 0n as Offset }, 10_000)));
  return all;
}
const valueOf = (record: LogRecord) =>
  JSON.parse(Buffer.from(record.value ?? []).toString()) as Record<string, unknown>;
const eventsInLog = async () => (await recordsOf(hookTopic('crm'))).filter((one) => 'event' in valueOf(one));

describe('a signed webhook', () => {
  test('is answered with 202 when its events are in the log under the key of their document', async () => {
    const reply = await send(event({ key: 'a/b' }));
    expect(reply).toEqual({ status: 202, body: { accepted: 1, position: expect.stringMatching(/^\d+$/) as string } });
    const [record] = await eventsInLog();
    expect(record?.key).toBe('crm/tickets/a%2Fb');
    expect(valueOf(record!)).toMatchObject({ source: 'crm', receivedAt: nowMs, position: reply.body.position });
  });

  test('puts a marker after its events into every partition', async () => {
    const { body } = await send({ events: [event({ key: '1' }), event({ key: '2' }), event({ key: '3' })] });
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const records = (await recordsOf(hookTopic('crm'))).filter((record) => record.partition === partition);
      expect(valueOf(records.at(-1)!)).toMatchObject({
        kind: 'watermark',
        position: body.position,
        lane: `freshet.hooks.crm/${partition}`,
        lanes: PARTITIONS,
      });
    }
  });

  test("takes the sender's version where there is one, else the order of arrival", async () => {
    await send({ events: [event({ key: '1', version: 42 }), event({ key: '2' }), event({ key: '3' })] });
    const versions = (await eventsInLog()).map(valueOf).map(({ version, position }) => ({ version, position }));
    expect(versions.filter(({ version }) => version === '42')).toHaveLength(1);
    for (const { version, position } of versions) if (version !== '42') expect(version).toBe(position);
  });

  test('sent again under its id has no effect, also after a restart', async () => {
    const first = event({ id: 'evt_1' });
    const { body } = await send(first, { id: 'msg_1' });
    await app.close();
    await start();
    const again = await send(first, { id: 'msg_1' });
    expect(again.status).toBe(200);
    expect(again.body.accepted).toBe(0);
    expect(BigInt(again.body.position)).toBeGreaterThanOrEqual(BigInt(body.position));
    expect(await eventsInLog()).toHaveLength(1);
  });

  test('sent a hundred times at once is taken once', async () => {
    const body = event();
    const replies = await Promise.all(Array.from({ length: 100 }, () => send(body, { id: 'msg_1' })));
    expect(replies.filter(({ status }) => status === 202)).toHaveLength(1);
    expect(replies.filter(({ status }) => status === 200)).toHaveLength(99);
    expect(await eventsInLog()).toHaveLength(1);
  });

  test('has each of its events taken once, whatever delivery it comes in', async () => {
    await send(event({ id: 'evt_1' }));
    const { status, body } = await send({
      events: [event({ id: 'evt_1' }), event({ id: 'evt_2' }), event({ id: 'evt_2' })],
    });
    expect({ status, accepted: body.accepted }).toEqual({ status: 202, accepted: 1 });
    expect(await eventsInLog()).toHaveLength(2);
  });

  test('has a position that grows, also when the clock goes back and the process restarts', async () => {
    const positions: bigint[] = [];
    for (const step of [0, 5, -DAY_MS, 1, -DAY_MS]) {
      nowMs += step;
      positions.push(BigInt((await send(event())).body.position));
      await app.close();
      await start();
    }
    expect(positions).toEqual([...positions].sort((a, b) => (a < b ? -1 : 1)));
    expect(new Set(positions).size).toBe(positions.length);
  });

  test('is forgotten after a week, and its id then leaves the log', async () => {
    await send(event({ id: 'evt_1' }), { id: 'msg_1' });
    nowMs += 8 * DAY_MS;
    await send(event({ id: 'evt_2' }), { id: 'msg_2' });
    const keys = ['crm/delivery/msg_1', 'crm/event/evt_1', 'crm/delivery/msg_2'];
    expect((await log.latest(HOOK_IDS_TOPIC, keys)).map((record) => record !== undefined)).toEqual([
      false,
      false,
      true,
    ]);
  });

  test('of a delete keeps no text', async () => {
    await send(event({ type: 'delete', document: { body: 'must not stay' } }));
    expect(
      (await recordsOf(hookTopic('crm'))).map((record) => Buffer.from(record.value ?? []).toString()).join(),
    ).not.toContain('must not stay');
  });
});

describe('a webhook is refused', () => {
  test('with 401 when its signature does not hold, before its body is parsed', async () => {
    expect((await send('{', { headers: { 'webhook-signature': 'v1,AAAA' } })).status).toBe(401);
  });

  test('with 401 when it is replayed outside the window', async () => {
    const old = String(Math.floor(nowMs / 1_000) - 301);
    expect((await send(event(), { headers: { 'webhook-timestamp': old } })).status).toBe(401);
  });

  test('with 422 when it is signed and not an event', async () => {
    expect((await send({ id: 'x' })).status).toBe(422);
    expect((await send('{"id":1,"id":2}')).status).toBe(422);
    expect(await eventsInLog()).toEqual([]);
  });

  test('with 404 for an unknown source', async () => {
    expect((await send(event(), { source: 'nobody' })).status).toBe(404);
  });

  test('with 413 when it is too large', async () => {
    expect((await send(event({ document: { body: 'x'.repeat(5_000) } }))).status).toBe(413);
  });

  test.each(['text/plain', 'application/x-www-form-urlencoded'])('with 415 for %s', async (type) => {
    expect((await send(event(), { headers: { 'content-type': type } })).status).toBe(415);
  });

  test('with 415 when it is compressed', async () => {
    expect((await send(event(), { headers: { 'content-encoding': 'gzip' } })).status).toBe(415);
  });

  test('with 429 while too much is on its way, and taken afterwards', async () => {
    const releases: (() => void)[] = [];
    for (let release = intake.reserve(4_096); release; release = intake.reserve(4_096)) releases.push(release);
    expect((await send(event({ document: { body: 'x'.repeat(3_000) } }))).status).toBe(429);
    for (const release of releases) release();
    expect((await send(event())).status).toBe(202);
  });
});

test('memory set aside for a body is given back when it was answered', async () => {
  const room = () => {
    const releases: (() => void)[] = [];
    for (let release = intake.reserve(1_000_000); release; release = intake.reserve(1_000_000)) releases.push(release);
    for (const release of releases) release();
    return releases.length;
  };
  const before = room();
  for (let i = 0; i < 20; i++) await send(event());
  expect(room()).toBe(before);
});
