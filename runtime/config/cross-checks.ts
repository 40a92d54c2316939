import { checkEmbedder, checkProfile, checkReranker } from './cluster-checks.ts';
import type { ConfigFile, TableConfig } from './config.ts';
import { checkExperiments } from './experiment-checks.ts';
import { checkGenerator } from './generator-checks.ts';
import { parseUrl, type CrossFault, type PartialConfig } from './cross-fault.ts';

/** Shortest HS256 secret, bytes: RFC 7518 3.2 asks for a key as long as the hash. */
const MIN_JWT_SECRET_BYTES = 32;

/** Checks that need more than one key, or more than a form. Pure. */
export function crossCheck(config: PartialConfig): readonly CrossFault[] {
  return [
    ...checkProfile(config),
    ...checkEmbedder(config),
    ...checkReranker(config),
    ...checkGenerator(config),
    ...checkExperiments(config),
    ...checkAuth(config),
    ...checkSources(config),
    ...checkPipeline(config),
  ];
}

/** Whether only this machine can reach an address. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host);
}

function* checkAuth({ auth, server }: PartialConfig): Generator<CrossFault> {
  const mode = auth?.mode;
  const hasKeys = (auth?.apiKeys?.length ?? 0) > 0;
  const hasCredentials = hasKeys || auth?.jwt !== undefined;
  if (mode === 'none' && hasCredentials)
    yield { path: 'auth.mode', problem: '`none` contradicts `jwt` and `apiKeys`; leave `mode` out, or remove them' };
  if (mode === 'required' && !hasCredentials)
    yield { path: 'auth.mode', problem: '`required` needs `auth.jwt` or `auth.apiKeys`' };
  if (mode === 'jwt' && auth?.jwt === undefined) yield { path: 'auth.mode', problem: '`jwt` needs `auth.jwt`' };
  if (mode === 'apiKeys' && !hasKeys) yield { path: 'auth.mode', problem: '`apiKeys` needs `auth.apiKeys`' };
  const isOpen = mode === 'none' || (mode === undefined && !hasCredentials);
  const host = server?.host;
  if (isOpen && host !== undefined && !isLoopback(host))
    yield {
      path: 'server.host',
      problem: `${JSON.stringify(host)} can be reached from other machines, so \`auth.jwt\` or \`auth.apiKeys\` is needed; without them use 127.0.0.1`,
    };
  yield* checkJwt(auth?.jwt);
  const seen = new Set<string>();
  for (const [index, entry] of (auth?.apiKeys ?? []).entries()) {
    if (!entry?.key) continue;
    if (seen.has(entry.key)) yield { path: `auth.apiKeys[${index}].key`, problem: 'the same key is listed before' };
    seen.add(entry.key);
  }
}

function* checkJwt(jwt: NonNullable<ConfigFile['auth']>['jwt']): Generator<CrossFault> {
  if (!jwt) return;
  const ways = [jwt.secret, jwt.jwksUrl, jwt.publicKey].filter((way) => way !== undefined).length;
  if (ways !== 1)
    yield { path: 'auth.jwt', problem: `expected one of \`secret\`, \`jwksUrl\`, \`publicKey\`; got ${ways}` };
  if (jwt.secret !== undefined && Buffer.byteLength(jwt.secret) < MIN_JWT_SECRET_BYTES)
    yield {
      path: 'auth.jwt.secret',
      problem: `expected at least ${MIN_JWT_SECRET_BYTES} bytes; got ${Buffer.byteLength(jwt.secret)}`,
    };
  if (jwt.jwksUrl !== undefined) {
    const url = parseUrl(jwt.jwksUrl);
    const isSafe = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback(url.hostname));
    if (!isSafe) yield { path: 'auth.jwt.jwksUrl', problem: 'expected an https URL' };
  }
}

function* checkSources({ sources }: PartialConfig): Generator<CrossFault> {
  const names = new Map<string, number>();
  const slots = new Map<string, number>();
  for (const [index, source] of (sources ?? []).entries()) {
    if (!source) continue;
    const path = `sources[${index}]`;
    const first = source.name && names.get(source.name);
    if (typeof first === 'number')
      yield { path: `${path}.name`, problem: `${JSON.stringify(source.name)} is also the name of sources[${first}]` };
    else if (source.name) names.set(source.name, index);
    if (source.kind === 'webhook') continue;
    if (source.kind === 'postgres') yield* checkConnection(source.connection, `${path}.connection`);
    yield* checkTables(source.tables, `${path}.tables`);
    const slotOwner = source.slot && slots.get(source.slot);
    if (typeof slotOwner === 'number')
      yield { path: `${path}.slot`, problem: `also the slot of sources[${slotOwner}]; each source needs its own` };
    else if (source.slot) slots.set(source.slot, index);
  }
}

function* checkConnection(connection: string | undefined, path: string): Generator<CrossFault> {
  if (connection === undefined) return;
  const url = parseUrl(connection);
  if (url?.protocol !== 'postgres:' && url?.protocol !== 'postgresql:')
    yield {
      path,
      problem:
        'expected a URL like postgres://user:password@host:5432/database (percent-encode special characters of the password)',
    };
}

function* checkTables(tables: readonly (TableConfig | undefined)[] | undefined, path: string): Generator<CrossFault> {
  const seen = new Map<string, number>();
  for (const [index, table] of (tables ?? []).entries()) {
    if (!table?.table) continue;
    const first = seen.get(table.table);
    if (first !== undefined)
      yield { path: `${path}[${index}].table`, problem: `${JSON.stringify(table.table)} is also ${path}[${first}]` };
    else seen.set(table.table, index);
  }
}

function* checkPipeline({ pipeline }: PartialConfig): Generator<CrossFault> {
  if (pipeline?.pii?.mode === 'pseudonym' && pipeline.pii.secret === undefined)
    yield { path: 'pipeline.pii.secret', problem: 'missing; mode `pseudonym` needs a key for its tokens' };
  const { maxTokens, overlapTokens } = pipeline?.chunk ?? {};
  // From one half on, each passage would bring less new text than it repeats.
  if (maxTokens !== undefined && overlapTokens !== undefined && overlapTokens >= maxTokens / 2)
    yield {
      path: 'pipeline.chunk.overlapTokens',
      problem: `expected less than half of maxTokens (${maxTokens}), in tokens; got ${overlapTokens}`,
    };
}
