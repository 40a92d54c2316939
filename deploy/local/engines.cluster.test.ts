import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import kafkajs from 'kafkajs';
import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { engineFolder } from '../../test/support/engine-folder.ts';
import { startConnect } from './connect.ts';
import { startElasticsearch } from './elasticsearch.ts';
import { startKafka } from './kafka.ts';
import { startMariadb } from './mariadb.ts';
import { startPostgres } from './postgres.ts';
import { startRedis } from './redis.ts';
import { root } from './root.ts';
import { isRunning } from './running-process.ts';

const { Kafka, logLevel } = kafkajs;

describe('private engines', () => {
  test('Redis keeps what it has acknowledged over a kill', async () => {
    await using folder = await engineFolder();
    await using engine = await startRedis({ dir: folder.path, settings: { appendfsync: 'always' } });
    const first = new Redis(engine.url);
    await first.set('key', 'value');
    first.disconnect();
    await engine.kill('SIGKILL');
    await engine.restart();
    const second = new Redis(engine.url);
    expect(await second.get('key')).toBe('value');
    second.disconnect();
  });

  test('PostgreSQL keeps what it has committed over a kill, and decodes logically', async () => {
    await using folder = await engineFolder();
    await using engine = await startPostgres({ dir: join(folder.path, 'postgres') });
    const sql = async (text: string): Promise<unknown[]> => {
      const client = new pg.Client(engine.url);
      await client.connect();
      const { rows } = await client.query(text);
      await client.end();
      return rows;
    };
    await sql('CREATE TABLE kept AS SELECT 7 AS number');
    await engine.kill('SIGKILL');
    await engine.restart();
    expect(await sql(`SELECT number, current_setting('wal_level') AS level FROM kept`)).toEqual([
      { number: 7, level: 'logical' },
    ]);
  });

  test('MariaDB keeps what it has committed over a kill, and logs rows', async () => {
    await using folder = await engineFolder();
    await using engine = await startMariadb({ dir: join(folder.path, 'mariadb') });
    const sql = (text: string): string => {
      const { hostname, port, username, password } = new URL(engine.url);
      const run = spawnSync(
        'mariadb',
        ['--no-defaults', '-h', hostname, '-P', port, '-u', username, '-N', '-e', text],
        {
          env: { ...process.env, MYSQL_PWD: password },
          encoding: 'utf8',
        },
      );
      expect(run.stderr).toBe('');
      return run.stdout.trim();
    };
    sql('CREATE DATABASE d; CREATE TABLE d.kept (number INT); INSERT INTO d.kept VALUES (7)');
    await engine.kill('SIGKILL');
    await engine.restart();
    expect(sql('SELECT number, @@binlog_format, @@binlog_row_metadata FROM d.kept')).toBe('7\tROW\tFULL');
  });

  test('three brokers keep every acknowledged record over the kill of one', async () => {
    await using folder = await engineFolder();
    await using engine = await startKafka({ dir: folder.path, nodes: 3 });
    const client = new Kafka({ brokers: engine.url.split(','), logLevel: logLevel.NOTHING, retry: { retries: 20 } });
    const admin = client.admin();
    await admin.connect();
    await admin.createTopics({ topics: [{ topic: 'kept', numPartitions: 3, replicationFactor: 3 }] });
    const producer = client.producer({ idempotent: true });
    await producer.connect();
    const send = (from: number) =>
      producer.send({
        topic: 'kept',
        acks: -1,
        messages: Array.from({ length: 30 }, (_, index) => ({ key: String(from + index), value: 'x' })),
      });
    await send(0);
    await engine.kill('SIGKILL', 1);
    await send(30);
    await engine.restart(1);
    await send(60);
    const offsets = await admin.fetchTopicOffsets('kept');
    expect(offsets.reduce((sum, each) => sum + Number(each.high), 0)).toBe(90);
    await producer.disconnect();
    await admin.disconnect();
  });

  test('Kafka Connect is there again after a kill, with its connectors and all kinds of sources', async () => {
    const brokers = process.env['KAFKA_TEST_URL'] ?? '';
    await using folder = await engineFolder();
    const group = `connect-${crypto.randomUUID()}`;
    await using engine = await startConnect({ dir: folder.path, brokers, group });
    const get = async (path: string) => (await fetch(engine.url + path)).json();
    const plugins = (await get('/connector-plugins')) as { class: string; type: string }[];
    const sources = plugins.filter((each) => each.type === 'source').map((each) => each.class.split('.').at(-1) ?? '');
    expect(sources.toSorted()).toEqual(['MariaDbConnector', 'MongoDbConnector', 'MySqlConnector', 'PostgresConnector']);
    await engine.kill('SIGKILL');
    await engine.restart();
    expect(await get('/connectors')).toEqual([]);
    await engine.stop();
    const admin = new Kafka({ brokers: brokers.split(','), logLevel: logLevel.NOTHING }).admin();
    await admin.connect();
    await admin.deleteTopics({ topics: ['configs', 'offsets', 'status'].map((each) => `${group}-${each}`) });
    await admin.disconnect();
  });

  test('three nodes of Elasticsearch keep every document over the kill of one', async () => {
    await using folder = await engineFolder();
    await using engine = await startElasticsearch({ dir: join(folder.path, 'es'), nodes: 3, heapMb: 512 });
    const urls = engine.url.split(',');
    const call = async (method: string, path: string, body?: object, node = 0): Promise<Record<string, unknown>> => {
      const response = await fetch(`${urls[node]}${path}`, {
        method,
        headers: { 'content-type': 'application/json' },
        ...(body && { body: JSON.stringify(body) }),
      });
      expect(response.status).toBeLessThan(300);
      return (await response.json()) as Record<string, unknown>;
    };
    await call('PUT', '/kept?wait_for_active_shards=all', {
      settings: { number_of_shards: 3, number_of_replicas: 1, analysis: { analyzer: { a: { type: 'english' } } } },
    });
    for (let id = 0; id < 20; id++) await call('PUT', `/kept/_doc/${id}`, { text: 'running' });
    await engine.kill('SIGKILL', 1);
    await call('GET', '/_cluster/health/kept?wait_for_nodes=2&wait_for_status=yellow&timeout=60s');
    await call('POST', '/kept/_refresh');
    expect(await call('GET', '/kept/_count', undefined, 2)).toMatchObject({ count: 20 });
    await engine.restart(1);
    expect(await call('GET', '/_cluster/health?wait_for_nodes=3&timeout=60s')).toMatchObject({ number_of_nodes: 3 });
  });
});

test('an engine ends with the process that has started it, even when that is killed', async () => {
  await using folder = await engineFolder();
  const compiled = spawnSync(process.execPath, [join(root, 'scripts/engines.js'), '--help'], { encoding: 'utf8' });
  expect(compiled.status).toBe(0);
  const code = `
    import { startRedis } from ${JSON.stringify(join(root, '.engines/code/deploy/local/redis.js'))};
    const engine = await startRedis({ dir: ${JSON.stringify(folder.path)} });
    console.log(engine.nodes[0].pid);`;
  const owner = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(owner.stdout, 'data')) as [Buffer];
  const redis = { pid: Number(line.toString()), dir: folder.path };
  expect(isRunning(redis)).toBe(true);
  owner.kill('SIGKILL');
  await expect.poll(() => isRunning(redis), { timeout: 30_000 }).toBe(false);
  expect(readFileSync(join(folder.path, 'redis.log'), 'utf8')).not.toContain('bye bye');
});
