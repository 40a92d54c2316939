import type { ResolvedConfig } from '../runtime/config/config.ts';
import type { Environment } from '../runtime/config/environment-references.ts';
import { InvalidUsage, ServerRefused, ServerUnreachable } from '../runtime/errors.ts';
import { configIfAny } from './config-file.ts';
import { textFlag } from './parse-flags.ts';
import type { Flags, VerbContext } from './verb.ts';
import { ADMIN_GROUP } from '../schemas/principal.ts';

/** Where `npm start` and a config without `server` listen. */
const DEFAULT_ADDRESS = 'http://127.0.0.1:8080';

/** The HTTP API of a running server, as verbs call it. */
export interface Client {
  readonly address: string;
  /**
   * The JSON body of a 2xx reply.
   * @throws ServerUnreachable when nothing listens, ServerRefused with the server's code for any other status.
   */
  call(method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<unknown>;
  /** The body of `/readyz`, which comes with status 200 or 503. */
  readiness(): Promise<unknown>;
}

/** A client for the server that `--url` or the config names, with the caller's identity; `operator` for the routes below /v1/admin. */
export async function clientFor(context: VerbContext, as: 'caller' | 'operator' = 'caller'): Promise<Client> {
  const url = textFlag(context.flags, 'url');
  const config = url === undefined || textFlag(context.flags, 'config') ? await configIfAny(context) : undefined;
  const address = (url ?? addressOf(config)).replace(/\/+$/, '');
  if (!/^https?:\/\//.test(address) || !URL.canParse(address))
    throw new InvalidUsage(`--url expects an address like ${DEFAULT_ADDRESS}; got ${JSON.stringify(address)}`);
  return createClient(address, identityHeaders(context.flags, context.env, config, as), context.fetch, context.signal);
}

/** Where a server with this config is reached from the same machine. */
export function addressOf(config: ResolvedConfig | undefined): string {
  if (!config) return DEFAULT_ADDRESS;
  const { host, port } = config.server;
  const reachable = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  return `http://${reachable.includes(':') ? `[${reachable.replace(/^\[|\]$/g, '')}]` : reachable}:${port}`;
}

/**
 * Who asks: FRESHET_TOKEN or FRESHET_API_KEY of the environment, else the config's first API key of the tenant (of any tenant when none
 * is named; for an operator one with the operators' group), else headers, which a server believes only with auth.mode none.
 */
export function identityHeaders(
  flags: Flags,
  env: Environment,
  config: Pick<ResolvedConfig, 'auth'> | undefined,
  as: 'caller' | 'operator' = 'caller',
): Readonly<Record<string, string>> {
  const tenant = textFlag(flags, 'tenant');
  const groups = textFlag(flags, 'groups');
  const headers: Record<string, string> = {};
  if (tenant !== undefined) headers['x-freshet-tenant'] = tenant;
  if (groups !== undefined) headers['x-freshet-groups'] = groups;
  const keys = config?.auth.apiKeys?.filter((candidate) => tenant === undefined || candidate.tenant === tenant) ?? [];
  const key = as === 'operator' ? keys.find((candidate) => candidate.groups?.includes(ADMIN_GROUP)) : keys[0];
  if (env['FRESHET_TOKEN']) headers['authorization'] = `Bearer ${env['FRESHET_TOKEN']}`;
  else if (env['FRESHET_API_KEY']) headers['x-api-key'] = env['FRESHET_API_KEY'];
  else if (key) headers['x-api-key'] = key.key;
  return headers;
}

/** A client for one address. */
export function createClient(
  address: string,
  headers: Readonly<Record<string, string>>,
  fetch: typeof globalThis.fetch,
  signal: AbortSignal,
): Client {
  const send = async (method: string, path: string, body?: unknown): Promise<Response> => {
    try {
      return await fetch(`${address}${path}`, {
        method,
        headers: { ...headers, ...(body !== undefined && { 'content-type': 'application/json' }) },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        signal,
      });
    } catch (cause) {
      signal.throwIfAborted();
      throw new ServerUnreachable(`nothing answers at ${address}; start it with \`freshet start\``, { cause });
    }
  };
  return {
    address,
    call: async (method, path, body) => bodyOf(await send(method, path, body)),
    readiness: async () => {
      const response = await send('GET', '/readyz');
      return response.status === 503 ? parsed(await response.text()) : bodyOf(response);
    },
  };
}

async function bodyOf(response: Response): Promise<unknown> {
  const text = await response.text();
  const body = parsed(text);
  if (response.ok) return body;
  const problem = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>;
  const words = [problem['title'], problem['detail']].filter((part) => typeof part === 'string' && part !== '');
  const remoteCode = typeof problem['code'] === 'string' ? problem['code'] : undefined;
  const message = words.length > 0 ? words.join(': ') : `HTTP ${response.status}`;
  throw new ServerRefused(`the server refused: ${message}${remoteCode ? ` [${remoteCode}]` : ''}`, { remoteCode });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined; // a proxy's error page; the status tells enough
  }
}
