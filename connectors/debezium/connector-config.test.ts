import { describe, expect, test } from 'vitest';
import { connectorProperties, withoutSecrets, type ConnectorPlan } from './connector-config.ts';
import type { DebeziumSourceConfig } from './debezium-source.ts';

const config: DebeziumSourceConfig = {
  name: 'help-desk',
  kind: 'debezium',
  database: 'postgres',
  connection: 'postgresql://reader:p%40ss@db.local:6543/main?sslmode=require',
  tables: [
    { table: 'public.articles', title: 'title', body: ['summary', 'body'], tenant: { column: 'tenant' } },
    { table: 'public.notes', body: 'text', key: ['a', 'b'] },
  ],
};
const keys = new Map([
  ['public.articles', ['id']],
  ['public.notes', ['a', 'b']],
]);
const plan: ConnectorPlan = { config, role: 'stream', epoch: 3, keys };

describe('the properties of a connector', () => {
  test('reach the database by the parts of its URL', () => {
    expect(connectorProperties(plan)).toMatchObject({
      'database.hostname': 'db.local',
      'database.port': '6543',
      'database.user': 'reader',
      'database.password': 'p@ss',
      'database.dbname': 'main',
      'database.sslmode': 'require',
      'slot.name': 'freshet_help_desk',
      'publication.name': 'freshet_help_desk',
    });
  });

  test('take what the config maps out of the database, and nothing else', () => {
    expect(connectorProperties(plan)).toMatchObject({
      'table.include.list': 'public\\.articles,public\\.notes',
      'column.include.list': [
        ...['title', 'summary', 'body', 'tenant', 'id'].map((column) => `public\\.articles\\.${column}`),
        ...['text', 'a', 'b'].map((column) => `public\\.notes\\.${column}`),
      ].join(),
      'message.key.columns': 'public\\.notes:a,b',
    });
  });

  test('stamp the epoch on every record, and name topics as the log does', () => {
    expect(connectorProperties(plan)).toMatchObject({ transforms: 'epoch', 'transforms.epoch.value.literal': '3' });
    expect(connectorProperties({ ...plan, namespace: 'prod' })).toMatchObject({
      transforms: 'epoch,namespace',
      'transforms.namespace.replacement': 'prod.$0',
    });
  });

  test('let TRUNCATE through, keep tombstones, and never let Debezium make a slot or go on behind a gap', () => {
    expect(connectorProperties(plan)).toMatchObject({
      'skipped.operations': 'none',
      'tombstones.on.delete': 'true',
      'snapshot.mode': 'no_data',
      'offset.mismatch.strategy': 'trust_offset',
    });
  });

  test('of a snapshot tell its end also of empty tables', () => {
    const mariadb = { ...config, database: 'mariadb' as const, connection: 'mysql://u:p@db:3306/' };
    expect(connectorProperties({ ...plan, config: mariadb, role: 'snapshot', brokers: 'kafka:9092' })).toMatchObject({
      'snapshot.mode': 'initial_only',
      'notification.enabled.channels': 'sink',
      'custom.metric.tags': 'role=snapshot',
    });
  });

  test('of MySQL and MariaDB carry schemas, and a history of their own per epoch and role', () => {
    const mariadb = { ...config, database: 'mariadb' as const, connection: 'mysql://u:p@db:3306/' };
    const properties = connectorProperties({ ...plan, config: mariadb, brokers: 'kafka:9092' });
    expect(properties).toMatchObject({
      'value.converter.schemas.enable': 'true',
      'schema.history.internal.kafka.bootstrap.servers': 'kafka:9092',
      'schema.history.internal.kafka.topic': 'freshet.schema-history.help-desk.stream.3',
      'provide.transaction.metadata': 'true',
    });
    expect(() => connectorProperties({ ...plan, config: mariadb })).toThrow(/Kafka's address/);
  });

  test('are overridden by what the config states', () => {
    const stated = { ...config, properties: { 'max.batch.size': '7' } };
    expect(connectorProperties({ ...plan, config: stated })['max.batch.size']).toBe('7');
  });

  test('show no secret', () => {
    const mongodb = { ...config, database: 'mongodb' as const, connection: 'mongodb://u:p%40ss@db/' };
    const shown = [plan, { ...plan, config: mongodb }].map((each) => withoutSecrets(connectorProperties(each)));
    expect(JSON.stringify(shown)).not.toMatch(/p@ss|p%40ss/);
  });

  test('refuse a name that cannot name a topic', () => {
    const odd = { ...config, tables: [{ table: 'public.my table', body: 'b' }] };
    expect(() => connectorProperties({ ...plan, config: odd })).toThrow(/public\.my table/);
  });
});
