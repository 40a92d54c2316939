import { createHash } from 'node:crypto';
import type { TableConfig } from '../../runtime/config/config.ts';
import { SourceMisconfigured } from '../../runtime/errors.ts';
import { BACKFILL_HEADER, EPOCH_HEADER } from '../../schemas/topics.ts';
import { mappedColumns, publicationName, slotName } from '../captured-tables.ts';
import {
  DEFAULT_MAX_QUEUE_BYTES,
  DEFAULT_MAX_RECORD_BYTES,
  type DebeziumDatabase,
  type DebeziumSourceConfig,
} from './debezium-source.ts';

/** Properties of a connector, as Kafka Connect stores them. Holds the database's password. */
export type ConnectorProperties = Readonly<Record<string, string>>;

/** What a connector is for: one streams changes for ever, one reads all rows once, but for PostgreSQL's, which we read. */
export type ConnectorRole = 'stream' | 'snapshot';

export interface ConnectorPlan {
  readonly config: DebeziumSourceConfig;
  readonly role: ConnectorRole;
  /** Stamped on every record, so that what a task of an older epoch still sends is known as old. */
  readonly epoch: number;
  /** Key columns by `schema.table`, where they are known; Debezium finds the primary key itself. */
  readonly keys: ReadonlyMap<string, readonly string[]>;
  /** What the log puts, with a dot, before the name of every topic. */
  readonly namespace?: string | undefined;
  /** Kafka as Connect reaches it, `host:port,...`; MySQL and MariaDB keep their schema history there. */
  readonly brokers?: string | undefined;
}

/** Marks heartbeats of ours among a database's logical messages. */
export const MESSAGE_PREFIX = 'freshet';

/** A change waits this long in Debezium at most; each round costs next to nothing. */
const POLL_INTERVAL_MS = 20;
/** How often the place that was reached is written down although nothing was captured. */
const HEARTBEAT_INTERVAL_MS = 250;
const MAX_BATCH_RECORDS = 2_048;
const MAX_QUEUE_RECORDS = 16_384;

const CLASSES: Readonly<Record<DebeziumDatabase, string>> = {
  postgres: 'io.debezium.connector.postgresql.PostgresConnector',
  mysql: 'io.debezium.connector.mysql.MySqlConnector',
  mariadb: 'io.debezium.connector.mariadb.MariaDbConnector',
  mongodb: 'io.debezium.connector.mongodb.MongoDbConnector',
};

/**
 * The properties of a connector, by config alone: the same plan gives the same properties.
 * @throws SourceMisconfigured when a name cannot be a part of a topic's name or of a list.
 */
export function connectorProperties(plan: ConnectorPlan): ConnectorProperties {
  const { config, role } = plan;
  refuseNames(config);
  return {
    'connector.class': CLASSES[config.database],
    'tasks.max': '1',
    'topic.prefix': config.name,
    // Both connectors of a source run in one worker, where metrics of the same name would block each other for a minute.
    'custom.metric.tags': `role=${role}`,
    'skipped.operations': 'none',
    'tombstones.on.delete': 'true',
    'poll.interval.ms': String(POLL_INTERVAL_MS),
    'max.batch.size': String(MAX_BATCH_RECORDS),
    'max.queue.size': String(MAX_QUEUE_RECORDS),
    'max.queue.size.in.bytes': String(config.maxQueueBytes ?? DEFAULT_MAX_QUEUE_BYTES),
    'producer.override.max.request.size': String(config.maxRecordBytes ?? DEFAULT_MAX_RECORD_BYTES),
    'extended.headers.enabled': 'false',
    // Topics of tables exist before; this is for Debezium's own, of heartbeats and the like.
    'topic.creation.default.partitions': '1',
    'topic.creation.default.replication.factor': '-1',
    ...converters(config.database),
    ...transforms(plan),
    ...roleProperties(role, config),
    ...databaseProperties(plan),
    ...config.properties,
  };
}

const JSON_CONVERTER = 'org.apache.kafka.connect.json.JsonConverter';

/** A layout from the catalog says what PostgreSQL's columns are; the others carry their schema with each record. */
function converters(database: DebeziumDatabase): ConnectorProperties {
  const withSchema = database === 'mysql' || database === 'mariadb';
  return {
    'key.converter': JSON_CONVERTER,
    'key.converter.schemas.enable': 'false',
    'value.converter': JSON_CONVERTER,
    'value.converter.schemas.enable': String(withSchema),
    'header.converter': JSON_CONVERTER,
    'header.converter.schemas.enable': 'false',
  };
}

/** Every record says its epoch, and whether it is a row that was read; topics are named as the log names them. */
function transforms({ epoch, role, namespace = '' }: ConnectorPlan): ConnectorProperties {
  const names = ['epoch', ...(role === 'snapshot' ? ['backfill'] : []), ...(namespace === '' ? [] : ['namespace'])];
  return {
    transforms: names.join(','),
    'transforms.epoch.type': 'org.apache.kafka.connect.transforms.InsertHeader',
    'transforms.epoch.header': EPOCH_HEADER,
    'transforms.epoch.value.literal': String(epoch),
    ...(role === 'snapshot' && {
      'transforms.backfill.type': 'org.apache.kafka.connect.transforms.InsertHeader',
      'transforms.backfill.header': BACKFILL_HEADER,
      'transforms.backfill.value.literal': '1',
    }),
    ...(namespace !== '' && {
      'transforms.namespace.type': 'org.apache.kafka.connect.transforms.RegexRouter',
      'transforms.namespace.regex': '.*',
      'transforms.namespace.replacement': `${namespace}.$0`,
    }),
  };
}

function roleProperties(role: ConnectorRole, { name }: DebeziumSourceConfig): ConnectorProperties {
  return role === 'stream'
    ? { 'snapshot.mode': 'no_data', 'heartbeat.interval.ms': String(HEARTBEAT_INTERVAL_MS) }
    : {
        'snapshot.mode': 'initial_only',
        // Its last notification carries an offset: an empty table would otherwise end without a word.
        'notification.enabled.channels': 'sink',
        'notification.sink.topic.name': `${name}.notifications`,
      };
}

function databaseProperties(plan: ConnectorPlan): ConnectorProperties {
  const { config } = plan;
  const url = new URL(config.connectConnection ?? config.connection);
  switch (config.database) {
    case 'postgres':
      return { ...address(url, '5432'), ...postgres(plan, url), ...relational(plan) };
    case 'mysql':
    case 'mariadb':
      return { ...address(url, '3306'), ...binlog(plan), ...relational(plan) };
    case 'mongodb':
      return {
        'mongodb.connection.string': url.href,
        'capture.mode': 'change_streams_update_full',
        'collection.include.list': config.tables.map(({ table }) => literal(table)).join(','),
      };
  }
}

function address(url: URL, port: string): ConnectorProperties {
  return {
    'database.hostname': url.hostname.replace(/^\[|\]$/g, ''),
    'database.port': url.port || port,
    'database.user': decodeURIComponent(url.username),
    'database.password': decodeURIComponent(url.password),
  };
}

/** What decides how values are printed; the pipeline turns them into PostgreSQL's text (pipeline/mapping/connect-value.ts). */
function relational({ config, keys }: ConnectorPlan): ConnectorProperties {
  const columns = config.tables.flatMap((table) => {
    const key = keys.get(table.table);
    return key ? [...new Set([...mappedColumns(table), ...key])].map((column) => `${table.table}.${column}`) : [];
  });
  const statedKeys = config.tables.flatMap(({ table, key }) => (key ? [`${literal(table)}:${key.join(',')}`] : []));
  return {
    'table.include.list': config.tables.map(({ table }) => literal(table)).join(','),
    // Only what the config maps leaves the database. All tables or none: a table without a column in the list would send none.
    ...(keys.size === config.tables.length && { 'column.include.list': columns.map(literal).join(',') }),
    ...(statedKeys.length > 0 && { 'message.key.columns': statedKeys.join(';') }),
    'decimal.handling.mode': 'string',
    'time.precision.mode': 'isostring',
    'binary.handling.mode': 'bytes',
  };
}

function postgres({ config }: ConnectorPlan, url: URL): ConnectorProperties {
  const sslMode = url.searchParams.get('sslmode');
  return {
    'database.dbname': decodeURIComponent(url.pathname.slice(1)) || 'postgres',
    ...(sslMode !== null && { 'database.sslmode': sslMode }),
    'plugin.name': 'pgoutput',
    'publication.name': publicationName(config),
    'publication.autocreate.mode': 'disabled',
    'slot.name': slotName(config),
    // A slot that was made anew stops the task, instead of going on behind the gap.
    'offset.mismatch.strategy': 'trust_offset',
    'message.prefix.exclude.list': MESSAGE_PREFIX,
    'interval.handling.mode': 'string',
    'hstore.handling.mode': 'json',
    'include.unknown.datatypes': 'true',
  };
}

function binlog({ config, role, epoch, brokers }: ConnectorPlan): ConnectorProperties {
  if (brokers === undefined)
    throw new SourceMisconfigured(
      `Source ${config.name}: Kafka's address for Kafka Connect is needed (schema history).`,
    );
  const databases = new Set(config.tables.map(({ table }) => table.slice(0, table.indexOf('.'))));
  return {
    'database.include.list': [...databases].map(literal).join(','),
    'database.server.id': String(serverId(`${config.name}/${role}`)),
    'schema.history.internal.kafka.bootstrap.servers': brokers,
    'schema.history.internal.kafka.topic': `freshet.schema-history.${config.name}.${role}.${epoch}`,
    'schema.history.internal.store.only.captured.tables.ddl': 'true',
    'include.schema.changes': 'false',
    'bigint.unsigned.handling.mode': 'precise',
    // The end of each transaction is a record, whose offset lies behind it: without one the last stays open until the next begins.
    'provide.transaction.metadata': 'true',
    'connect.keep.alive.interval.ms': '1000',
    ...(role === 'snapshot' && { 'snapshot.locking.mode': 'none' }),
  };
}

const FIRST_SERVER_ID = 100_000;

/** A number of our own among the server's replicas, the same at every start. */
function serverId(text: string): number {
  return FIRST_SERVER_ID + (createHash('sha256').update(text).digest().readUInt32BE(0) % 2_000_000_000);
}

/** Lists of tables and columns are regular expressions. */
function literal(name: string): string {
  return name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

/** Kafka's and Debezium's lists know no quoting, and Debezium renames topics that Kafka would refuse. */
function refuseNames({ name, tables }: DebeziumSourceConfig): void {
  const refused = tables.map(({ table }) => table).filter((table) => !/^[\w-]+\.[\w-]+$/.test(table));
  if (refused.length > 0)
    throw new SourceMisconfigured(
      `Source ${name}: names of tables may hold letters, digits, _ and - only, because they name topics: ${refused.join(', ')}.`,
    );
  const columns = (tables as readonly TableConfig[]).flatMap((table) => [
    ...mappedColumns(table),
    ...(table.key ?? []),
  ]);
  const bad = columns.filter((column) => /[,:;]/.test(column));
  if (bad.length > 0)
    throw new SourceMisconfigured(`Source ${name}: names of columns may not hold , : or ; here: ${bad.join(' ')}.`);
}

/** The properties with every secret replaced, for messages and `check`. */
export function withoutSecrets(properties: ConnectorProperties): ConnectorProperties {
  return Object.fromEntries(
    Object.entries(properties).map(([name, value]) => [
      name,
      /password|secret|connection\.string|jaas/i.test(name) ? '***' : value,
    ]),
  );
}
