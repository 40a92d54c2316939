import { parseUrl, type CrossFault, type PartialConfig } from './cross-fault.ts';

const ENGINES = ['kafka', 'elasticsearch', 'redis'] as const;
const DATABASES = ['postgres:', 'postgresql:', 'mysql:', 'mariadb:', 'mongodb:', 'mongodb+srv:'];

/** Which engines a profile has, and what the sources need of them. */
export function* checkProfile(config: PartialConfig): Generator<CrossFault> {
  const isCluster = config.profile === 'cluster';
  for (const key of ENGINES) {
    if (isCluster && config[key] === undefined)
      yield { path: key, problem: `missing; the profile \`cluster\` needs \`${key}\`` };
    if (!isCluster && config[key] !== undefined)
      yield { path: key, problem: 'is of the profile `cluster`; set `profile: cluster`, or leave it out' };
  }
  yield* checkUrls(config);
  const { username, password, apiKey } = config.elasticsearch ?? {};
  if ((username === undefined) !== (password === undefined))
    yield { path: 'elasticsearch', problem: '`username` and `password` go together' };
  if (apiKey !== undefined && username !== undefined)
    yield { path: 'elasticsearch.apiKey', problem: 'contradicts `username`; one of them is enough' };
  for (const [index, source] of (config.sources ?? []).entries()) {
    if (source?.kind !== 'debezium') continue;
    const path = `sources[${index}]`;
    if (!isCluster)
      yield {
        path: `${path}.kind`,
        problem: '`debezium` needs the profile `cluster`; in the embedded one `postgres` reads a database by itself',
      };
    else if (config.connect === undefined)
      yield { path: 'connect', problem: `missing; the source \`${source.name}\` of kind debezium needs \`connect\`` };
    if (source.format === 'avro' && config.schemaRegistry === undefined)
      yield { path: `${path}.format`, problem: '`avro` needs `schemaRegistry`' };
    if (source.connection !== undefined && !DATABASES.includes(parseUrl(source.connection)?.protocol ?? ''))
      yield {
        path: `${path}.connection`,
        problem: 'expected a URL that begins with postgres://, mysql://, mariadb:// or mongodb://',
      };
  }
}

function* checkUrls({ elasticsearch, redis, connect, schemaRegistry, kafka }: PartialConfig): Generator<CrossFault> {
  const http = ['http:', 'https:'];
  const urls: [path: string, url: string | undefined, protocols: readonly string[]][] = [
    ...(elasticsearch?.nodes ?? []).map((node, index): [string, string, readonly string[]] => [
      `elasticsearch.nodes[${index}]`,
      node,
      http,
    ]),
    ['redis.url', redis?.url, ['redis:', 'rediss:']],
    ['connect.url', connect?.url, http],
    ['schemaRegistry.url', schemaRegistry?.url, http],
  ];
  for (const [path, url, protocols] of urls)
    if (url !== undefined && !protocols.includes(parseUrl(url)?.protocol ?? ''))
      yield { path, problem: `expected a URL that begins with ${protocols.map((name) => `${name}//`).join(' or ')}` };
  for (const [index, broker] of (kafka?.brokers ?? []).entries())
    if (!/^[^\s/:]+:\d{1,5}$|^\[[0-9a-f:]+\]:\d{1,5}$/i.test(broker))
      yield { path: `kafka.brokers[${index}]`, problem: 'expected `host:port`' };
}

/** The keys that each kind needs, and those that it takes besides. */
const EMBEDDER_KEYS = {
  onnx: { needs: [], takes: ['threads'] },
  hash: { needs: [], takes: [] },
  tei: { needs: ['url'], takes: ['apiKey'] },
  openai: { needs: ['url', 'model'], takes: ['apiKey', 'dimensions'] },
  cohere: { needs: ['apiKey', 'model'], takes: ['url', 'dimensions'] },
} as const;

const RERANKER_KEYS = {
  none: { needs: [], takes: [] },
  onnx: { needs: [], takes: [] },
  tei: { needs: ['url'], takes: ['apiKey'] },
  cohere: { needs: ['apiKey', 'model'], takes: ['url'] },
} as const;

export function* checkEmbedder({ embedder }: PartialConfig): Generator<CrossFault> {
  if (!embedder) return;
  const { kind = 'onnx' } = embedder;
  yield* checkKeys('embedder', kind, embedder, EMBEDDER_KEYS[kind]);
  if (embedder.tokenizer === 'file' && embedder.tokenizerFile === undefined)
    yield { path: 'embedder.tokenizerFile', problem: 'missing; tokenizer `file` needs it' };
}

export function* checkReranker({ reranker }: PartialConfig): Generator<CrossFault> {
  if (!reranker) return;
  const { kind = 'none' } = reranker;
  yield* checkKeys('reranker', kind, reranker, RERANKER_KEYS[kind]);
}

/** A section that names a server: what its kind needs, and what means nothing to it. */
function* checkKeys(
  section: string,
  kind: string,
  values: { readonly [key: string]: unknown; readonly url?: string },
  { needs, takes }: { readonly needs: readonly string[]; readonly takes: readonly string[] },
): Generator<CrossFault> {
  for (const key of needs)
    if (values[key] === undefined) yield { path: `${section}.${key}`, problem: `missing; kind \`${kind}\` needs it` };
  for (const key of ['url', 'model', 'apiKey', 'dimensions'])
    if (values[key] !== undefined && !needs.includes(key) && !takes.includes(key))
      yield { path: `${section}.${key}`, problem: `means nothing to kind \`${kind}\`; leave it out` };
  if (values.url !== undefined && !['http:', 'https:'].includes(parseUrl(values.url)?.protocol ?? ''))
    yield { path: `${section}.url`, problem: 'expected a URL that begins with http:// or https://' };
}
