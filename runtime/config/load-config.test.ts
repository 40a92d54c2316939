import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { InvalidConfig } from '../errors.ts';
import { describeConfig } from './describe-config.ts';
import { loadConfig, parseConfig } from './load-config.ts';

const env = { HELPDESK_URL: 'postgres://freshet:s3cret@db.example:5432/helpdesk', CRM_SECRET: 'whsec_dGVzdA==' };

const contractExample = `
profile: embedded            # or cluster
server: { host: 127.0.0.1, port: 8080 }
auth: { mode: none }
sources:
  - name: helpdesk
    kind: postgres
    connection: \${HELPDESK_URL}
    tables:
      - table: public.articles
        title: title
        body: [summary, body]
        bodyFormat: markdown
        tenant: { column: tenant_id }
        acl: { column: groups }
        metadata: [category, updated_at]
  - name: crm
    kind: webhook
    signature: { scheme: standard-webhooks, secret: \${CRM_SECRET} }
`;

/** A valid file with one postgres source, and whatever else is asked. */
const aFile = (rest: string) => `sources:
  - name: helpdesk
    kind: postgres
    connection: postgres://localhost/helpdesk
    tables: [{ table: public.articles, body: body }]
${rest}`;

function faultsOf(text: string, variables: Record<string, string> = env): string {
  try {
    parseConfig(text, variables, 'freshet.yaml');
  } catch (error) {
    if (error instanceof InvalidConfig) return error.message;
    throw error;
  }
  throw new Error('expected an InvalidConfig');
}

describe('a good config', () => {
  test('the example of the contract is accepted, references resolve also inside braces', () => {
    const config = parseConfig(contractExample, env, '/etc/freshet/freshet.yaml');
    expect(config.sources).toMatchObject([
      { name: 'helpdesk', kind: 'postgres', connection: env.HELPDESK_URL, heartbeatMs: 10_000 },
      { name: 'crm', kind: 'webhook', signature: { secret: 'whsec_dGVzdA==', toleranceMs: 300_000 } },
    ]);
  });

  test('every default is filled in', () => {
    const config = parseConfig(aFile(''), {}, '/etc/freshet/freshet.yaml');
    expect(config).toEqual({
      profile: 'embedded',
      dataDir: '/etc/freshet/.freshet',
      logLevel: 'info',
      shutdownTimeoutMs: 10_000,
      server: { host: '127.0.0.1', port: 8080 },
      auth: { mode: 'none' },
      log: { partitions: 1, retentionMs: 604_800_000 },
      sources: [
        {
          name: 'helpdesk',
          kind: 'postgres',
          connection: 'postgres://localhost/helpdesk',
          tables: [{ table: 'public.articles', body: 'body', bodyFormat: 'text', metadata: [] }],
          snapshotBatchRows: 1_000,
          maxInFlightBytes: 16_777_216,
          heartbeatMs: 10_000,
        },
      ],
      pipeline: {
        pii: { mode: 'mask' },
        chunk: { maxTokens: 320, overlapTokens: 24 },
        embed: { maxBatchTokens: 8_192, inlineBudgetMs: 100 },
        workers: { prepare: 0, index: 0 },
        maxDocumentBytes: 16_777_216,
        maxBatchRecords: 256,
        maxBatchBytes: 4_194_304,
        attempts: 5,
      },
      embedder: {
        kind: 'onnx',
        threads: 0,
        tokenizer: 'bge',
        maxConcurrency: 64,
        timeoutMs: 30_000,
        hedgeAfterMs: 0,
      },
      reranker: { kind: 'none', use: 'always', threads: 1, maxConcurrency: 16 },
      queryLog: { mode: 'metadata', maxFileBytes: 16_777_216, retentionDays: 30 },
      generator: {
        kind: 'extractive',
        judge: 'onnx',
        maxTokens: 1_024,
        contextTokens: 6_144,
        temperature: 0,
        timeoutMs: 15_000,
        stallMs: 10_000,
        maxConcurrent: 8,
        maxWaiting: 32,
        unsupported: 'mark',
        fallbacks: [],
        lastResort: 'extractive',
      },
      cache: {
        answers: 'exact',
        answerTtlMs: 3_600_000,
        answerMaxBytes: 33_554_432,
        auditShare: 0.01,
        queryVectorMaxBytes: 16_777_216,
      },
    });
  });

  test('an empty section means its defaults', () => {
    expect(parseConfig(aFile('server:\n'), {}, 'f.yaml').server).toEqual({ host: '127.0.0.1', port: 8080 });
  });

  test('a number may come from the environment', () => {
    const config = parseConfig(aFile('server: { port: ${PORT} }'), { PORT: '9090' }, 'f.yaml');
    expect(config.server.port).toBe(9090);
  });

  test('a value of the environment cannot change the structure of the file', () => {
    const hostile = 'x" }\nauth: { mode: none } # ${HOME}';
    const config = parseConfig(aFile('dataDir: "/d/${NAME}"'), { NAME: hostile, HOME: '/root' }, 'f.yaml');
    expect(config.dataDir).toBe(resolve(`/d/${hostile}`));
  });

  test('$${ writes a plain ${', () => {
    expect(parseConfig(aFile('dataDir: "/d/$${NAME}"'), {}, 'f.yaml').dataDir).toBe('/d/${NAME}');
  });

  test('a reference in a comment is left alone', () => {
    expect(() => parseConfig(aFile('# ${NOT_SET}'), {}, 'f.yaml')).not.toThrow();
  });

  test('FRESHET_DATA_DIR overrides dataDir', () => {
    const config = parseConfig(aFile('dataDir: here'), { FRESHET_DATA_DIR: '/var/lib/freshet' }, '/etc/f.yaml');
    expect(config.dataDir).toBe('/var/lib/freshet');
  });

  test('a relative dataDir is relative to the folder of the file', () => {
    expect(parseConfig(aFile('dataDir: state'), {}, 'conf/f.yaml').dataDir).toBe(resolve(join('conf', 'state')));
  });

  test.each([
    ['auth: { mode: jwt, jwt: { secret: 01234567890123456789012345678901 } }', 'required'],
    ['auth: { apiKeys: [{ key: k1, tenant: acme }] }', 'required'],
    ['auth: { mode: apiKeys, apiKeys: [{ key: k1, tenant: acme }] }', 'required'],
    ['auth: {}', 'none'],
  ])('%s is mode %s', (auth, mode) => {
    expect(parseConfig(aFile(auth.replace('secret: 0', 'secret: x0')), {}, 'f.yaml').auth.mode).toBe(mode);
  });
});

describe('a bad config names every fault at once', () => {
  test('unknown keys, wrong values, missing keys and variables, in the order of the file', () => {
    const text = `servr: { port: 80 }
logLevel: verbose
shutdownTimeoutMs: 5s
sources:
  - name: Help Desk
    kind: postgres
    connection: \${NOT_SET_URL}
    tables:
      - table: articles
        bdy: text
  - name: crm
    kind: webhook
    tables: []
    signature: { scheme: standard-webhooks }
`;
    expect(faultsOf(text)).toMatchInlineSnapshot(`
      "freshet.yaml has 10 faults:
        freshet.yaml:1:1  servr: unknown key; did you mean \`server\`?
        freshet.yaml:2:11  logLevel: expected one of \`error\`, \`warn\`, \`info\`, \`debug\`; got "verbose"
        freshet.yaml:3:20  shutdownTimeoutMs: expected an integer from 100 to 600000, in ms; got "5s"
        freshet.yaml:5:11  sources[0].name: expected at most 63 lower-case letters, digits, \`-\` and \`_\`; got "Help Desk"
        freshet.yaml:7:17  sources[0].connection: the environment variable NOT_SET_URL is not set
        freshet.yaml:9:9  sources[0].tables[0].body: missing; expected a text or a list of words, at least one (Column or columns of the body, joined by blank lines)
        freshet.yaml:9:16  sources[0].tables[0].table: expected \`schema.table\`; got "articles"
        freshet.yaml:10:9  sources[0].tables[0].bdy: unknown key; did you mean \`body\`?
        freshet.yaml:13:5  sources[1].tables: unknown key; the keys here are \`name\`, \`kind\`, \`signature\`, \`maxBodyBytes\`
        freshet.yaml:14:16  sources[1].signature.secret: missing; expected a text (Signing secret, \`whsec_...\`)"
    `);
  });

  test('a fault of one kind of source shows nothing of the other kinds', () => {
    expect(faultsOf('sources: [{ name: a, kind: postgers, url: x }]')).toMatchInlineSnapshot(`
      "freshet.yaml has a fault:
        freshet.yaml:1:28  sources[0].kind: expected one of \`postgres\`, \`webhook\`, \`debezium\`; got "postgers"; did you mean \`postgres\`?"
    `);
    expect(faultsOf('sources: [{ name: a }]')).toMatchInlineSnapshot(`
      "freshet.yaml has a fault:
        freshet.yaml:1:11  sources[0].kind: missing; expected one of \`postgres\`, \`webhook\`, \`debezium\`"
    `);
  });

  test('the cluster profile names every engine that is missing, and what its sources need', () => {
    const text = `profile: cluster
kafka: { brokers: [localhost] }
elasticsearch: { nodes: [localhost:9200], username: me, apiKey: x }
embedder: { kind: tei, model: bge }
sources: [{ name: a, kind: debezium, format: avro, connection: 'oracle://db', tables: [{ table: public.a, body: b }] }]`;
    expect(faultsOf(text)).toMatchInlineSnapshot(`
      "freshet.yaml has 10 faults:
        freshet.yaml:1:1  redis: missing; the profile \`cluster\` needs \`redis\`
        freshet.yaml:1:1  connect: missing; the source \`a\` of kind debezium needs \`connect\`
        freshet.yaml:2:20  kafka.brokers[0]: expected \`host:port\`
        freshet.yaml:3:16  elasticsearch: \`username\` and \`password\` go together
        freshet.yaml:3:26  elasticsearch.nodes[0]: expected a URL that begins with http:// or https://
        freshet.yaml:3:65  elasticsearch.apiKey: contradicts \`username\`; one of them is enough
        freshet.yaml:4:11  embedder.url: missing; kind \`tei\` needs it
        freshet.yaml:4:31  embedder.model: means nothing to kind \`tei\`; leave it out
        freshet.yaml:5:46  sources[0].format: \`avro\` needs \`schemaRegistry\`
        freshet.yaml:5:64  sources[0].connection: expected a URL that begins with postgres://, mysql://, mariadb:// or mongodb://"
    `);
  });

  test('a reranker names what its kind needs, and what means nothing to it', () => {
    const rest = 'sources: [{ name: a, kind: webhook, signature: { scheme: standard-webhooks, secret: whsec_eA== } }]';
    const faults = (reranker: string) => faultsOf(`reranker: ${reranker}\n${rest}`);
    expect(faults('{ kind: tei, model: bge, apiKey: x }')).toMatchInlineSnapshot(`
      "freshet.yaml has 2 faults:
        freshet.yaml:1:11  reranker.url: missing; kind \`tei\` needs it
        freshet.yaml:1:31  reranker.model: means nothing to kind \`tei\`; leave it out"
    `);
    expect(faults('{ kind: cohere, url: cohere.example, candidates: 101 }')).toMatchInlineSnapshot(`
      "freshet.yaml has 4 faults:
        freshet.yaml:1:11  reranker.apiKey: missing; kind \`cohere\` needs it
        freshet.yaml:1:11  reranker.model: missing; kind \`cohere\` needs it
        freshet.yaml:1:32  reranker.url: expected a URL that begins with http:// or https://
        freshet.yaml:1:60  reranker.candidates: expected an integer from 2 to 100; got 101"
    `);
    expect(faults('{ url: "http://reranker:8080" }')).toMatchInlineSnapshot(`
      "freshet.yaml has a fault:
        freshet.yaml:1:18  reranker.url: means nothing to kind \`none\`; leave it out"
    `);
    expect(faults('{ kind: onxx }')).toMatchInlineSnapshot(`
      "freshet.yaml has a fault:
        freshet.yaml:1:19  reranker.kind: expected one of \`none\`, \`onnx\`, \`tei\`, \`cohere\`; got "onxx"; did you mean \`onnx\`?"
    `);
  });

  test('engines of the cluster profile are refused in the embedded one', () => {
    const text = `kafka: { brokers: [localhost:9092] }
sources: [{ name: a, kind: debezium, connection: postgres://db/a, tables: [{ table: public.a, body: b }] }]`;
    expect(faultsOf(text)).toMatchInlineSnapshot(`
      "freshet.yaml has 2 faults:
        freshet.yaml:1:8  kafka: is of the profile \`cluster\`; set \`profile: cluster\`, or leave it out
        freshet.yaml:2:28  sources[0].kind: \`debezium\` needs the profile \`cluster\`; in the embedded one \`postgres\` reads a database by itself"
    `);
  });

  test('a cluster config is filled in: the partitions of the log are those of Kafka', () => {
    const text = `profile: cluster
kafka: { brokers: ['localhost:9092'], partitions: 12 }
elasticsearch: { nodes: ['http://localhost:9200'] }
redis: { url: 'redis://localhost' }
sources: [{ name: a, kind: webhook, signature: { scheme: standard-webhooks, secret: whsec_eA== } }]`;
    const { cluster, log } = parseConfig(text, {}, 'freshet.yaml');
    expect(log.partitions).toBe(12);
    expect(cluster?.elasticsearch).toEqual({
      nodes: ['http://localhost:9200'],
      alias: 'freshet',
      shards: 3,
      replicas: 1,
      refreshIntervalMs: 1_000,
      analyzer: 'standard',
    });
  });

  test('duplicate keys, sources and tables', () => {
    const text = `sources:
  - name: a
    kind: postgres
    connection: postgres://localhost/a
    connection: postgres://localhost/b
    tables: [{ table: public.t, body: b }, { table: public.t, body: c }]
  - { name: a, kind: webhook, signature: { scheme: standard-webhooks, secret: whsec_x } }`;
    expect(faultsOf(text)).toMatchInlineSnapshot(`
      "freshet.yaml has 3 faults:
        freshet.yaml:5:5  sources[0].connection: given twice; the first one stands in line 4, remove one of them
        freshet.yaml:6:53  sources[0].tables[1].table: "public.t" is also sources[0].tables[0]
        freshet.yaml:7:13  sources[1].name: "a" is also the name of sources[0]"
    `);
  });

  test('keys that contradict one another', () => {
    const text = aFile(`server: { host: 0.0.0.0 }
auth: { mode: none }
pipeline:
  pii: { mode: pseudonym }
  chunk: { maxTokens: 100, overlapTokens: 50 }`);
    expect(faultsOf(text)).toMatchInlineSnapshot(`
      "freshet.yaml has 3 faults:
        freshet.yaml:6:17  server.host: "0.0.0.0" can be reached from other machines, so \`auth.jwt\` or \`auth.apiKeys\` is needed; without them use 127.0.0.1
        freshet.yaml:9:8  pipeline.pii.secret: missing; mode \`pseudonym\` needs a key for its tokens
        freshet.yaml:10:43  pipeline.chunk.overlapTokens: expected less than half of maxTokens (100), in tokens; got 50"
    `);
  });

  test('auth that cannot let anybody in, or lets in everybody', () => {
    expect(faultsOf(aFile('auth: { mode: required }'))).toMatchInlineSnapshot(`
      "freshet.yaml has a fault:
        freshet.yaml:6:15  auth.mode: \`required\` needs \`auth.jwt\` or \`auth.apiKeys\`"
    `);
    expect(faultsOf(aFile('auth: { jwt: { secret: short, publicKey: pem } }'))).toMatchInlineSnapshot(`
      "freshet.yaml has 2 faults:
        freshet.yaml:6:14  auth.jwt: expected one of \`secret\`, \`jwksUrl\`, \`publicKey\`; got 2
        freshet.yaml:6:24  auth.jwt.secret: expected at least 32 bytes; got 5"
    `);
    expect(faultsOf(aFile('auth: { mode: none, apiKeys: [{ key: a, tenant: t }] }'))).toMatchInlineSnapshot(`
      "freshet.yaml has a fault:
        freshet.yaml:6:15  auth.mode: \`none\` contradicts \`jwt\` and \`apiKeys\`; leave \`mode\` out, or remove them"
    `);
  });

  test('a file that is not YAML, or empty', () => {
    expect(faultsOf('sources: [')).toMatchInlineSnapshot(`
      "freshet.yaml has a fault:
        freshet.yaml:1:11  not YAML: Flow sequence in block collection must be sufficiently indented and end with a ]"
    `);
    expect(faultsOf('# nothing\n')).toMatchInlineSnapshot(`
      "freshet.yaml has a fault:
        freshet.yaml:1:1  the file is empty; expected at least \`sources\`"
    `);
    expect(faultsOf('just words')).toMatchInlineSnapshot(`
      "freshet.yaml has a fault:
        freshet.yaml:1:1  expected a map; got "just words""
    `);
  });

  test('references that are not references', () => {
    expect(faultsOf(aFile('dataDir: "${HOME:-/tmp} ${} ${open"'))).toMatchInlineSnapshot(`
      "freshet.yaml has 3 faults:
        freshet.yaml:6:10  dataDir: \`\${HOME:-/tmp}\` is not a reference; expected \${NAME} (letters, digits and _), or $\${ for a plain \${
        freshet.yaml:6:10  dataDir: \`\${}\` is not a reference; expected \${NAME} (letters, digits and _), or $\${ for a plain \${
        freshet.yaml:6:10  dataDir: \`\${open\` is not a reference; expected \${NAME} (letters, digits and _), or $\${ for a plain \${"
    `);
  });

  test('an alias that contains itself ends', () => {
    expect(faultsOf(aFile('pipeline: &p { chunk: *p }'))).toContain('nested too deeply');
  });

  test('a key named __proto__ is an unknown key', () => {
    expect(faultsOf(aFile('__proto__: { polluted: true }'))).toContain('__proto__: unknown key');
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  test('a missing file is an InvalidConfig that says what to do', async () => {
    await expect(loadConfig('/nowhere/freshet.yaml', {})).rejects.toThrow('there is no such file; name another one');
  });
});

describe('secrets never print', () => {
  test('not when their form is wrong', () => {
    const text = aFile('auth: { jwt: { secret: [hunter2] }, apiKeys: [{ key: 4711, tenant: t }] }');
    expect(faultsOf(text)).not.toMatch(/hunter2|4711/);
  });

  test('not when a variable lands in the wrong key', () => {
    expect(faultsOf(aFile('server: { port: ${CRM_SECRET} }'))).toContain('got the value of ${CRM_SECRET}');
    expect(faultsOf(aFile('server: { port: ${CRM_SECRET} }'))).not.toContain('whsec');
  });

  test('not when a connection is not a URL', () => {
    expect(faultsOf(contractExample, { ...env, HELPDESK_URL: 'hunter2' })).not.toContain('hunter2');
  });

  test('describeConfig hides them and shows user, host and database of a connection', () => {
    const config = parseConfig(contractExample, env, '/etc/freshet/freshet.yaml');
    const text = describeConfig(config);
    expect(text).toContain('connection: postgres://freshet:***@db.example:5432/helpdesk');
    expect(text).toContain('secret: "***"');
    expect(text).not.toMatch(/s3cret|dGVzdA/);
  });

  test('a password in a parameter of the URL is hidden too', () => {
    const url = 'postgres://db.example/helpdesk?user=u&password=hunter2';
    const config = parseConfig(contractExample, { ...env, HELPDESK_URL: url }, 'f.yaml');
    expect(describeConfig(config)).not.toContain('hunter2');
  });
});
