import Type from 'typebox';
import { BodyFormat } from '../../schemas/document.ts';
import { CacheConfig, type FilledCache } from './cache-config.ts';
import {
  ConnectConfig,
  ElasticsearchConfig,
  KafkaConfig,
  RedisConfig,
  SchemaRegistryConfig,
} from './cluster-config.ts';
import { EmbedderConfig } from './embedder-config.ts';
import { closed, integer, secret, secretUrl, text } from './fields.ts';
import { ExperimentConfig } from './experiments-config.ts';
import { GeneratorConfig, type GeneratorServerConfig } from './generator-config.ts';
import { PipelineConfig } from './pipeline-config.ts';
import { QueryLogConfig, type FilledQueryLog } from './query-log-config.ts';
import { RerankerConfig, type FilledReranker } from './reranker-config.ts';

/*
 * The config as one table: every key with its type, default, unit and help. docs/CONFIG.md, the check of the file and the types
 * in code all come from here.
 */

const ColumnOrValue = Type.Union([
  Type.Object({ column: text('Column that holds it.') }, closed),
  Type.Object({ value: text('The same for every row.') }, closed),
]);

export const TableConfig = Type.Object(
  {
    table: text('Table as `schema.table`.', { pattern: '^[^.]+\\.[^.]+$', form: '`schema.table`' }),
    title: Type.Optional(text('Column of the title.')),
    body: Type.Union([text('Column of the body.'), Type.Array(Type.String({ minLength: 1 }), { minItems: 1 })], {
      description: 'Column or columns of the body, joined by blank lines.',
    }),
    bodyFormat: Type.Optional(
      Type.Union(BodyFormat.anyOf, { description: 'text, markdown or html.', default: 'text' }),
    ),
    tenant: Type.Optional(
      Type.Union(ColumnOrValue.anyOf, {
        description: '`{ column: name }` or `{ value: name }`; absent: tenant `default`.',
      }),
    ),
    acl: Type.Optional(
      Type.Object(
        { column: text('Column (text[]) with the groups that may read a row.') },
        { ...closed, description: 'Absent: every member of the tenant.' },
      ),
    ),
    metadata: Type.Optional(
      Type.Array(Type.String({ minLength: 1 }), {
        description: 'Columns that results show and filters use.',
        default: [],
      }),
    ),
    key: Type.Optional(
      Type.Array(Type.String({ minLength: 1 }), {
        minItems: 1,
        description: 'Key columns, for a table that has no primary key but a unique replica identity.',
      }),
    ),
  },
  closed,
);
export type TableConfig = Type.Static<typeof TableConfig>;

const sourceName = text('Name of the source; first part of every document id.', {
  pattern: '^[a-z0-9][a-z0-9_-]{0,62}$',
  form: 'at most 63 lower-case letters, digits, `-` and `_`',
});

export const PostgresSourceConfig = Type.Object(
  {
    name: sourceName,
    kind: Type.Literal('postgres', { description: 'PostgreSQL logical decoding without Kafka Connect.' }),
    connection: secretUrl('PostgreSQL URL of a role with REPLICATION and SELECT.'),
    tables: Type.Array(TableConfig, { minItems: 1, description: 'Tables to capture.' }),
    slot: Type.Optional(
      text('Replication slot; default `freshet_<source>`.', {
        pattern: '^[a-z0-9_]{1,63}$',
        form: 'at most 63 lower-case letters, digits and `_`',
      }),
    ),
    publication: Type.Optional(text('Publication; default `freshet_<source>`.')),
    snapshotBatchRows: Type.Optional(integer('Rows that one read of the initial snapshot takes.', 1_000, 1, 100_000)),
    maxInFlightBytes: Type.Optional(
      integer(
        'Bytes of changes received and not yet durable; the stream pauses above it.',
        16_777_216,
        65_536,
        1_073_741_824,
      ),
    ),
    heartbeatMs: Type.Optional(
      integer(
        'How often an idle source writes a heartbeat, so that the slot can move on, ms. 0 turns it off.',
        10_000,
        0,
        3_600_000,
      ),
    ),
  },
  closed,
);
export type PostgresSourceConfig = Type.Static<typeof PostgresSourceConfig>;

export const WebhookSourceConfig = Type.Object(
  {
    name: sourceName,
    kind: Type.Literal('webhook', { description: 'Signed events over HTTP at /v1/hooks/<source>.' }),
    signature: Type.Object(
      {
        scheme: Type.Literal('standard-webhooks', {
          description: 'Standard Webhooks: HMAC-SHA256 over id, timestamp and body.',
        }),
        secret: secret('Signing secret, `whsec_...`.'),
        toleranceMs: Type.Optional(
          integer('Replay window: how far the timestamp may be off, ms.', 300_000, 1_000, 86_400_000),
        ),
      },
      closed,
    ),
    maxBodyBytes: Type.Optional(integer('Largest body that is accepted.', 5_242_880, 1_024, 104_857_600)),
  },
  closed,
);
export type WebhookSourceConfig = Type.Static<typeof WebhookSourceConfig>;

export const DebeziumSourceConfig = Type.Object(
  {
    name: sourceName,
    kind: Type.Literal('debezium', { description: 'Debezium on Kafka Connect, in the cluster profile.' }),
    connection: secretUrl('URL of the database: postgres://, mysql://, mariadb:// or mongodb://.'),
    connectConnection: Type.Optional(secretUrl('The same as Kafka Connect reaches it, when that is another address.')),
    tables: Type.Array(TableConfig, {
      minItems: 1,
      description: 'Tables to capture; for MySQL and MariaDB `database.table`, for MongoDB `database.collection`.',
    }),
    slot: Type.Optional(
      text('PostgreSQL: replication slot; default `freshet_<source>`.', {
        pattern: '^[a-z0-9_]{1,63}$',
        form: 'at most 63 lower-case letters, digits and `_`',
      }),
    ),
    publication: Type.Optional(text('PostgreSQL: publication; default `freshet_<source>`.')),
    format: Type.Optional(
      Type.Union([Type.Literal('json'), Type.Literal('avro')], {
        default: 'json',
        description: 'How Connect writes records; avro needs `schemaRegistry`.',
      }),
    ),
    heartbeatMs: Type.Optional(integer('How often an idle source moves its position on, ms.', 1_000, 100, 3_600_000)),
  },
  closed,
);
export type DebeziumSourceConfig = Type.Static<typeof DebeziumSourceConfig>;

export const SourceConfig = Type.Union([PostgresSourceConfig, WebhookSourceConfig, DebeziumSourceConfig]);
export type SourceConfig = PostgresSourceConfig | WebhookSourceConfig | DebeziumSourceConfig;

const ApiKey = Type.Object(
  {
    key: secret('The key, as sent in x-api-key or as a bearer token.'),
    tenant: text('Tenant of the caller.'),
    groups: Type.Optional(Type.Array(Type.String(), { default: [], description: 'Groups of the caller.' })),
  },
  closed,
);

const Jwt = Type.Object(
  {
    secret: Type.Optional(secret('Shared secret (HS256), at least 32 bytes.')),
    jwksUrl: Type.Optional(text('Where the issuer publishes its keys.')),
    publicKey: Type.Optional(text('PEM of the public key (RS256, ES256, EdDSA).')),
    issuer: Type.Optional(text('Expected `iss`.')),
    audience: Type.Optional(text('Expected `aud`.')),
  },
  { ...closed, description: 'One of secret, jwksUrl or publicKey.' },
);

export const Config = Type.Object(
  {
    profile: Type.Optional(
      Type.Union([Type.Literal('embedded'), Type.Literal('cluster')], {
        default: 'embedded',
        description: 'embedded: SQLite and in-process model; cluster: Kafka, Elasticsearch, Redis.',
      }),
    ),
    dataDir: Type.Optional(text('Where the state lives. FRESHET_DATA_DIR overrides it.', { default: '.freshet' })),
    logLevel: Type.Optional(
      Type.Union([Type.Literal('error'), Type.Literal('warn'), Type.Literal('info'), Type.Literal('debug')], {
        default: 'info',
        description: 'Least severe level that is logged.',
      }),
    ),
    shutdownTimeoutMs: Type.Optional(integer('How long a stop may take to drain, ms.', 10_000, 100, 600_000)),
    server: Type.Optional(
      Type.Object(
        {
          host: Type.Optional(text('Address to listen on.', { default: '127.0.0.1' })),
          port: Type.Optional(integer('Port to listen on; 0 takes a free one.', 8080, 0, 65_535)),
        },
        { ...closed, description: 'HTTP server.', default: {} },
      ),
    ),
    auth: Type.Optional(
      Type.Object(
        {
          mode: Type.Optional(
            Type.Union([Type.Literal('none'), Type.Literal('required'), Type.Literal('jwt'), Type.Literal('apiKeys')], {
              description:
                'none: only on a loopback host; the caller says who it is in headers. required: a JWT or an API key. jwt, apiKeys: that one must be set up. Absent: required when jwt or apiKeys are given, else none.',
            }),
          ),
          jwt: Type.Optional(Jwt),
          apiKeys: Type.Optional(Type.Array(ApiKey, { description: 'Keys and who they stand for.' })),
        },
        { ...closed, description: 'Who may ask.', default: {} },
      ),
    ),
    log: Type.Optional(
      Type.Object(
        {
          partitions: Type.Optional(
            integer(
              'Partitions of every topic of the embedded log; the cluster profile has `kafka.partitions`.',
              1,
              1,
              64,
            ),
          ),
          retentionMs: Type.Optional(
            integer('How long source records are kept, ms.', 604_800_000, 60_000, 31_536_000_000),
          ),
        },
        { ...closed, description: 'The log.', default: {} },
      ),
    ),
    kafka: Type.Optional(KafkaConfig),
    elasticsearch: Type.Optional(ElasticsearchConfig),
    redis: Type.Optional(RedisConfig),
    connect: Type.Optional(ConnectConfig),
    schemaRegistry: Type.Optional(SchemaRegistryConfig),
    sources: Type.Array(SourceConfig, { minItems: 1, description: 'Where changes come from.' }),
    pipeline: Type.Optional(PipelineConfig),
    embedder: Type.Optional(EmbedderConfig),
    reranker: Type.Optional(RerankerConfig),
    generator: Type.Optional(GeneratorConfig),
    queryLog: Type.Optional(QueryLogConfig),
    experiments: Type.Optional(
      Type.Array(ExperimentConfig, {
        description: 'Settings that are compared: each caller gets one arm, always the same.',
      }),
    ),
    cache: Type.Optional(CacheConfig),
  },
  closed,
);

/** The config as written, before defaults. */
export type ConfigFile = Type.Static<typeof Config>;

/** A stage section with every default filled in. */
export type FilledPipeline = {
  readonly pii: {
    readonly mode: 'mask' | 'pseudonym' | 'off';
    readonly entities?: readonly string[];
    readonly secret?: string;
  };
  readonly chunk: { readonly maxTokens: number; readonly overlapTokens: number };
  readonly embed: { readonly maxBatchTokens: number; readonly inlineBudgetMs: number };
  readonly workers?: { readonly prepare: number; readonly index: number };
  readonly maxDocumentBytes: number;
  readonly maxBatchRecords: number;
  readonly maxBatchBytes: number;
  readonly attempts: number;
};

/** The embedder with its defaults filled in. */
export type FilledEmbedder = EmbedderConfig & {
  readonly kind: 'onnx' | 'hash' | 'tei' | 'openai' | 'cohere';
  readonly threads: number;
  readonly tokenizer: 'bge' | 'file' | 'approximate';
  readonly maxConcurrency: number;
  readonly timeoutMs: number;
  readonly hedgeAfterMs: number;
};

type ServerDefault =
  'maxTokens' | 'contextTokens' | 'temperature' | 'timeoutMs' | 'stallMs' | 'maxConcurrent' | 'maxWaiting';

/** A server that writes answers, with its defaults filled in. */
export type FilledGeneratorServer = Filled<GeneratorServerConfig, ServerDefault>;

/** What writes answers, with its defaults filled in. */
export type FilledGenerator = Filled<GeneratorConfig, ServerDefault | 'kind' | 'unsupported' | 'lastResort'> & {
  readonly fallbacks: readonly FilledGeneratorServer[];
};

type Filled<T, K extends keyof T> = T & { readonly [P in K]-?: NonNullable<T[P]> };

/** The engines of the cluster profile with their defaults filled in. */
export interface ClusterEngines {
  readonly kafka: Filled<
    KafkaConfig,
    'client' | 'partitions' | 'replicationFactor' | 'maxRecordBytes' | 'compactionLagMs' | 'tls'
  >;
  readonly elasticsearch: Filled<
    ElasticsearchConfig,
    'alias' | 'shards' | 'replicas' | 'refreshIntervalMs' | 'analyzer'
  >;
  readonly redis: Filled<RedisConfig, 'prefix' | 'timeoutMs'>;
}

/** The config as code sees it: every default filled in, `${NAME}` resolved, `dataDir` absolute. */
export type ResolvedConfig = {
  readonly profile: 'embedded' | 'cluster';
  /** With profile cluster, and only then. */
  readonly cluster?: ClusterEngines;
  readonly connect?: ConnectConfig;
  readonly schemaRegistry?: SchemaRegistryConfig;
  readonly dataDir: string;
  readonly logLevel: 'error' | 'warn' | 'info' | 'debug';
  readonly shutdownTimeoutMs: number;
  readonly server: { readonly host: string; readonly port: number };
  readonly auth: {
    readonly mode: 'none' | 'required';
    readonly jwt?: Type.Static<typeof Jwt>;
    readonly apiKeys?: readonly Type.Static<typeof ApiKey>[];
  };
  readonly log: { readonly partitions: number; readonly retentionMs: number };
  readonly sources: readonly SourceConfig[];
  readonly pipeline: FilledPipeline;
  readonly embedder: FilledEmbedder;
  readonly reranker: FilledReranker;
  readonly generator: FilledGenerator;
  readonly queryLog: FilledQueryLog;
  /** Absent: there are none. */
  readonly experiments?: readonly ExperimentConfig[];
  readonly cache: FilledCache;
};
