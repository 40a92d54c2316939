import type { FastifyPluginAsync } from 'fastify';
import { capturedTopic } from '../../connectors/captured-tables.ts';
import type { Connector } from '../../connectors/connector.ts';
import type { Log, TopicSpec } from '../../ports/log/log.ts';
import type { Clock, Random } from '../../runtime/clock.ts';
import type { DebeziumSourceConfig as CapturedSource } from '../../connectors/debezium/debezium-source.ts';
import type { DebeziumConnectorOptions } from '../../connectors/debezium/source-session.ts';
import type {
  DebeziumSourceConfig,
  PostgresSourceConfig,
  ResolvedConfig,
  SourceConfig,
  TableConfig,
  WebhookSourceConfig,
} from '../../runtime/config/config.ts';
import type { Logger } from '../../runtime/logger.ts';
import type { Metrics } from '../../runtime/metrics.ts';
import { hookTopic } from '../../schemas/topics.ts';

/** The topics of one source, and the mapping of the table behind each. */
export interface SourceTopics {
  readonly source: string;
  readonly topics: readonly string[];
  readonly tables: ReadonlyMap<string, TableConfig>;
}

export function sourceTopics(source: SourceConfig): SourceTopics {
  if (source.kind === 'webhook') return { source: source.name, topics: [hookTopic(source.name)], tables: new Map() };
  const tables = new Map(source.tables.map((table) => [capturedTopic(source.name, table), table]));
  return { source: source.name, topics: [...tables.keys()], tables };
}

export function sourceTopicSpecs(config: ResolvedConfig): readonly TopicSpec[] {
  const { partitions, retentionMs } = config.log;
  return config.sources.flatMap((source) =>
    sourceTopics(source).topics.map((name): TopicSpec => ({ name, partitions, cleanup: 'delete', retentionMs })),
  );
}

export interface SourceParts {
  readonly config: ResolvedConfig;
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** By source, the epoch that is free for a first snapshot. */
  readonly firstEpochs: ReadonlyMap<string, number>;
}

/** A source as its connector knows it: which database it is, its URL says. */
export function debeziumSource(
  config: DebeziumSourceConfig,
  { schemaRegistry }: Pick<ResolvedConfig, 'schemaRegistry'>,
): CapturedSource {
  const { format, ...rest } = config;
  const database = DATABASES[new URL(config.connection).protocol] ?? 'postgres';
  return { ...rest, database, ...(format === 'avro' && schemaRegistry && { properties: avro(schemaRegistry.url) }) };
}

/** Values as Avro; keys stay JSON, which is what spreads them. The converter has to be installed in Kafka Connect. */
function avro(registry: string): Readonly<Record<string, string>> {
  const { username, password } = new URL(registry);
  const isOpen = username === '';
  const address = new URL(registry);
  address.username = '';
  address.password = '';
  return {
    'value.converter': 'io.confluent.connect.avro.AvroConverter',
    'value.converter.schema.registry.url': address.href.replace(/\/$/, ''),
    ...(!isOpen && {
      'value.converter.basic.auth.credentials.source': 'USER_INFO',
      'value.converter.basic.auth.user.info': `${decodeURIComponent(username)}:${decodeURIComponent(password)}`,
    }),
  };
}

const DATABASES: Readonly<Record<string, CapturedSource['database']>> = {
  'postgres:': 'postgres',
  'postgresql:': 'postgres',
  'mysql:': 'mysql',
  'mariadb:': 'mariadb',
  'mongodb:': 'mongodb',
  'mongodb+srv:': 'mongodb',
};

/** Where Kafka Connect is, and what it has to know of Kafka. */
export function connectOf({
  connect,
  cluster,
}: ResolvedConfig): Pick<DebeziumConnectorOptions, 'connectUrl' | 'brokers' | 'namespace'> {
  const { brokers = [], namespace } = cluster?.kafka ?? {};
  return { connectUrl: connect?.url ?? '', brokers: brokers.join(','), ...(namespace !== undefined && { namespace }) };
}

/** The connectors of all sources, and the routes of those that are called over HTTP. Only the code of configured kinds is loaded. */
export interface Sources {
  readonly connectors: readonly Connector[];
  readonly plugins: readonly FastifyPluginAsync[];
}

export async function openSources(parts: SourceParts): Promise<Sources> {
  const {
    sources,
    log: { partitions },
  } = parts.config;
  const connectors: Connector[] = [];
  const plugins: FastifyPluginAsync[] = [];
  const databases = sources.filter((source): source is PostgresSourceConfig => source.kind === 'postgres');
  if (databases.length > 0) {
    const { postgresConnector } = await import('../../connectors/postgres/postgres-connector.ts');
    for (const config of databases) {
      const firstEpoch = parts.firstEpochs.get(config.name) ?? 0;
      connectors.push(postgresConnector({ ...parts, config, partitions, firstEpoch }));
    }
  }
  const captured = sources.filter((source): source is DebeziumSourceConfig => source.kind === 'debezium');
  if (captured.length > 0) {
    const { debeziumConnector } = await import('../../connectors/debezium/debezium-connector.ts');
    for (const config of captured) {
      const firstEpoch = parts.firstEpochs.get(config.name) ?? 0;
      connectors.push(
        debeziumConnector({
          ...parts,
          config: debeziumSource(config, parts.config),
          ...connectOf(parts.config),
          partitions,
          firstEpoch,
        }),
      );
    }
  }
  const hooks = sources.filter((source): source is WebhookSourceConfig => source.kind === 'webhook');
  if (hooks.length > 0) {
    const { webhookConnector } = await import('../../connectors/webhook/webhook-connector.ts');
    const hooked = webhookConnector({ ...parts, sources: hooks, partitions });
    connectors.push(...hooked.connectors);
    plugins.push(hooked.routes);
  }
  return { connectors, plugins };
}
