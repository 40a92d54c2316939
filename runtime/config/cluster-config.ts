import Type from 'typebox';
import { closed, integer, secret, secretUrl, text } from './fields.ts';

/** Kafka: the log of the cluster profile. */
export const KafkaConfig = Type.Object(
  {
    brokers: Type.Array(Type.String({ minLength: 1 }), {
      minItems: 1,
      description: 'Addresses to start from, `host:port`.',
    }),
    namespace: Type.Optional(
      text('Put, with a dot, before every topic and group, so that several installations can share a cluster.', {
        pattern: '^[a-zA-Z0-9._-]{1,60}$',
        form: 'at most 60 letters, digits, `.`, `_` and `-`',
      }),
    ),
    client: Type.Optional(
      Type.Union([Type.Literal('kafkajs'), Type.Literal('rdkafka')], {
        default: 'kafkajs',
        description:
          'Data plane. rdkafka: librdkafka through node-rdkafka, which you install yourself; without it Freshet says so and takes kafkajs.',
      }),
    ),
    nativePath: Type.Optional(
      text(
        'Folder that holds `node_modules/node-rdkafka`, when it is not installed beside Freshet. FRESHET_RDKAFKA_PATH overrides it.',
      ),
    ),
    partitions: Type.Optional(integer('Partitions of every topic; may grow later, never shrink.', 6, 1, 1_024)),
    replicationFactor: Type.Optional(
      integer('Copies of every topic that is created; 0: three, or as many as there are brokers.', 0, 0, 16),
    ),
    maxRecordBytes: Type.Optional(
      integer('Largest record of every topic that is created.', 20_971_520, 1_048_576, 1_073_741_824),
    ),
    compactionLagMs: Type.Optional(
      integer(
        'How long a replaced record of a compacted topic stays at least. In that time a late write of a lost process is mended.',
        86_400_000,
        60_000,
        31_536_000_000,
      ),
    ),
    tls: Type.Optional(
      Type.Union([Type.Literal('off'), Type.Literal('on')], { default: 'off', description: 'Encrypted connections.' }),
    ),
    caFile: Type.Optional(text('PEM file of the authority that signed the brokers; absent: those of the system.')),
    sasl: Type.Optional(
      Type.Object(
        {
          mechanism: Type.Union([Type.Literal('plain'), Type.Literal('scram-sha-256'), Type.Literal('scram-sha-512')], {
            description: 'How the user is proven.',
          }),
          username: text('User.'),
          password: secret('Password.'),
        },
        { ...closed, description: 'Absent: no authentication.' },
      ),
    ),
  },
  { ...closed, description: 'The log of the cluster profile.' },
);
export type KafkaConfig = Type.Static<typeof KafkaConfig>;

/** Elasticsearch: the index of the cluster profile. */
export const ElasticsearchConfig = Type.Object(
  {
    nodes: Type.Array(Type.String({ minLength: 1 }), { minItems: 1, description: 'URLs of nodes.' }),
    apiKey: Type.Optional(secret('API key.')),
    username: Type.Optional(text('User, with `password`.')),
    password: Type.Optional(secret('Password.')),
    caFile: Type.Optional(text('PEM file of the authority that signed the nodes; absent: those of the system.')),
    alias: Type.Optional(
      text('Alias of the generation that is asked, and first part of every index name.', { default: 'freshet' }),
    ),
    shards: Type.Optional(integer('Shards of a generation that is created.', 3, 1, 1_024)),
    replicas: Type.Optional(integer('Copies of every shard besides the first.', 1, 0, 16)),
    refreshIntervalMs: Type.Optional(
      integer(
        'Longest time between two refreshes under load; with little to do they come at once, ms.',
        1_000,
        50,
        60_000,
      ),
    ),
    analyzer: Type.Optional(
      text('Analyzer of titles and passages: `standard`, or a language such as `english`.', { default: 'standard' }),
    ),
  },
  { ...closed, description: 'The index of the cluster profile.' },
);
export type ElasticsearchConfig = Type.Static<typeof ElasticsearchConfig>;

/** Redis: cache and jobs of the cluster profile. */
export const RedisConfig = Type.Object(
  {
    url: secretUrl('`redis://user:password@host:6379`, `rediss://` for TLS. Its `maxmemory` bounds the cache.'),
    jobsUrl: Type.Optional(
      secretUrl('Another Redis for jobs, with `maxmemory-policy noeviction`; absent: the same one.'),
    ),
    prefix: Type.Optional(text('First part of every key.', { default: 'freshet' })),
    timeoutMs: Type.Optional(integer('How long the cache waits before it counts as a miss, ms.', 100, 5, 10_000)),
  },
  { ...closed, description: 'Cache and jobs of the cluster profile.' },
);
export type RedisConfig = Type.Static<typeof RedisConfig>;

/** Kafka Connect: where Debezium runs. */
export const ConnectConfig = Type.Object(
  {
    url: secretUrl(
      'REST address of Kafka Connect. Its `offset.flush.interval.ms` bounds how soon a position is claimed.',
    ),
  },
  { ...closed, description: 'Kafka Connect, for sources of kind debezium.' },
);
export type ConnectConfig = Type.Static<typeof ConnectConfig>;

/** A schema registry, for sources whose records are Avro. */
export const SchemaRegistryConfig = Type.Object(
  {
    url: secretUrl('Address of a registry with the API of Confluent: `https://user:password@registry:8081`.'),
  },
  { ...closed, description: 'Schemas of sources with `format: avro`.' },
);
export type SchemaRegistryConfig = Type.Static<typeof SchemaRegistryConfig>;
