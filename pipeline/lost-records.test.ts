import { afterEach, describe, expect, it, vi } from 'vitest';
import type { AppendRecord, Log } from '../ports/log/log.ts';
import { openSqliteLog } from '../ports/log/sqlite-log.ts';
import { systemClock } from '../runtime/clock.ts';
import { RecordsLost } from '../runtime/errors.ts';
import { silentLogger } from '../runtime/logger.ts';
import { createMetrics } from '../runtime/metrics.ts';
import { epochKey, resyncKey } from '../schemas/source-epoch.ts';
import {
  CONNECTOR_STATE_TOPIC,
  DOCUMENTS_TOPIC,
  EPOCH_HEADER,
  VECTORS_TOPIC,
  VERSION_HEADER,
} from '../schemas/topics.ts';
import { sourceVersion } from '../schemas/version.ts';
import { askForVectorsAgain, epochOfRecord, readSourceAnew } from './lost-records.ts';
import { deferredQueue } from './sinks/deferred-vectors.ts';
import { pipelineTopics } from './topics.ts';

const TOPIC = 'helpdesk.public.articles';
const HOOKS = 'freshet.hooks.crm';
const { signal } = new AbortController();
const opened: Log[] = [];

afterEach(async () => {
  for (const log of opened.splice(0)) await log[Symbol.asyncDispose]();
});

const json = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));

/** A change of our own connector, one of Debezium's, and a position: each says its epoch in a way of its own. */
const aChange = (epoch: number): AppendRecord => ({
  topic: TOPIC,
  key: 'row',
  partition: 0,
  value: json({ source: { epoch } }),
});
const aDebeziumChange = (epoch: number): AppendRecord => ({
  ...aChange(0),
  value: json({ after: {} }),
  headers: { [EPOCH_HEADER]: String(epoch) },
});
const aWatermark = (epoch: number): AppendRecord => ({
  ...aChange(0),
  key: '~watermark/x',
  value: json({ kind: 'watermark', epoch }),
});
const epochBegins = (epoch: number): AppendRecord => {
  return { topic: CONNECTOR_STATE_TOPIC, key: epochKey('helpdesk'), value: json({ epoch }) };
};

async function aLoss(records: readonly AppendRecord[] = []) {
  const log = openSqliteLog({ path: ':memory:', clock: systemClock });
  opened.push(log);
  await log.createTopics([
    { name: TOPIC, partitions: 1, cleanup: 'delete' },
    { name: HOOKS, partitions: 1, cleanup: 'delete' },
    ...pipelineTopics(2, 60_000),
  ]);
  await log.append(records);
  const options = { log, clock: systemClock, logger: silentLogger, metrics: createMetrics() };
  const makeUp = readSourceAnew(options, (topic) => (topic === TOPIC ? 'helpdesk' : undefined));
  const lose = (next: number, topic = TOPIC): RecordsLost => {
    return new RecordsLost({ group: 'freshet-prepare', topic, partition: 0, from: 0n, next: BigInt(next) });
  };
  const asked = async (): Promise<unknown> => {
    const [record] = await log.latest(CONNECTOR_STATE_TOPIC, [resyncKey('helpdesk')]);
    return record?.value && JSON.parse(Buffer.from(record.value).toString());
  };
  return { log, options, makeUp, lose, asked };
}

describe('records that retention deleted unread (R22)', () => {
  it('are asked for again; nothing of the epoch that has the gap is read behind it, also no position', async () => {
    const { log, makeUp, lose, asked } = await aLoss([aChange(3), aChange(3), aWatermark(3), aDebeziumChange(3)]);
    await log.append([epochBegins(3)]);
    const going = makeUp(lose(1), signal);
    await vi.waitUntil(async () => (await asked()) !== undefined);
    expect(await asked()).toMatchObject({ topic: TOPIC, partition: 0, from: '0', next: '1' });
    await log.append([aWatermark(3), epochBegins(4), aDebeziumChange(4), aWatermark(4)]);
    expect(await going).toBe(5n);
  });

  it('of a partition that holds nothing else are read from the end on', async () => {
    const { log, makeUp, lose, asked } = await aLoss([aChange(0)]);
    const going = makeUp(lose(1), signal);
    await vi.waitUntil(async () => (await asked()) !== undefined);
    await log.append([epochBegins(1)]);
    expect(await going).toBe(1n);
  });

  it('are not asked for when the source has begun anew since: another partition was faster', async () => {
    const { makeUp, lose, asked } = await aLoss([aChange(3), aChange(3), aChange(4), epochBegins(4)]);
    expect(await makeUp(lose(1), signal)).toBe(2n);
    expect(await asked()).toBeUndefined();
  });

  it('are asked for when they may have been of the newest epoch', async () => {
    const { log, makeUp, lose, asked } = await aLoss([aChange(3), aChange(4), aChange(4), epochBegins(4)]);
    const going = makeUp(lose(2), signal);
    await vi.waitUntil(async () => (await asked()) !== undefined);
    await log.append([epochBegins(5), aChange(5)]);
    expect(await going).toBe(3n);
  });

  it('of a source that sends its changes once stay an error', async () => {
    const { makeUp, lose } = await aLoss();
    const lost = lose(4, HOOKS);
    await expect(makeUp(lost, signal)).rejects.toBe(lost);
  });

  it('that asked for vectors are made up for from the documents of the partition', async () => {
    const { log, options } = await aLoss();
    const version = sourceVersion(1, 5n).toString();
    const aDocument = (id: string, partition: number): AppendRecord => {
      return { topic: DOCUMENTS_TOPIC, key: id, partition, value: json({}), headers: { [VERSION_HEADER]: version } };
    };
    const marker = { topic: DOCUMENTS_TOPIC, key: '~watermark/x', partition: 1, value: json({}) };
    await log.append([aDocument('helpdesk/public.articles/1', 1), marker, aDocument('helpdesk/public.articles/2', 0)]);
    await log.append([{ topic: VECTORS_TOPIC, key: 'old', partition: 1, value: json({}) }]);
    const lost = new RecordsLost({ group: 'freshet-embed', topic: VECTORS_TOPIC, partition: 1, from: 0n, next: 1n });
    const from = await askForVectorsAgain(options, deferredQueue(log, systemClock))(lost, signal);
    const left = await log.fetch({ topic: VECTORS_TOPIC, partition: 1, offset: from }, 10);
    expect(left.map(({ value }) => JSON.parse(Buffer.from(value ?? []).toString()) as unknown)).toEqual([
      { kind: 'deferred', id: 'helpdesk/public.articles/1', version },
    ]);
  });
});

describe('the epoch of a record', () => {
  it.each([
    ['a change of our own connector', aChange(3)],
    ['a change of Debezium', aDebeziumChange(3)],
    ['a position', aWatermark(3)],
    ['a range tombstone', { value: json({ kind: 'remove-below', version: sourceVersion(3, 0n).toString() }) }],
  ])('is told by %s', (_, { value, headers = {} }: Partial<AppendRecord>) => {
    expect(epochOfRecord({ value: value ?? null, headers })).toBe(3);
  });

  it('is unknown of what cannot be read', () => {
    expect(epochOfRecord({ value: Buffer.from('{'), headers: {} })).toBeUndefined();
    expect(epochOfRecord({ value: null, headers: {} })).toBeUndefined();
  });
});
