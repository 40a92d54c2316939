import { createHash, createPublicKey, timingSafeEqual, type KeyObject } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { createRemoteJWKSet, jwtVerify, type JWTPayload, type JWTVerifyGetKey, type JWTVerifyOptions } from 'jose';
import type { Clock } from '../runtime/clock.ts';
import type { ResolvedConfig } from '../runtime/config/config.ts';
import { InvalidConfig, InvalidRequest, Unauthenticated } from '../runtime/errors.ts';
import type { Principal } from '../schemas/principal.ts';

type Auth = ResolvedConfig['auth'];
type Jwt = NonNullable<Auth['jwt']>;

/** Says who asks. @throws Unauthenticated, InvalidRequest for malformed identity headers. */
export type Identify = (headers: IncomingHttpHeaders) => Promise<Principal>;

const DEFAULT_TENANT = 'default';
const MAX_NAME_CHARS = 512;
const MIN_SECRET_BYTES = 32;
/** An unknown key id causes at most one fetch of the key set in this time, ms. */
const JWKS_COOLDOWN_MS = 30_000;
const ASYMMETRIC = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];
const EC_ALGORITHMS: Readonly<Record<string, string>> = { prime256v1: 'ES256', secp384r1: 'ES384', secp521r1: 'ES512' };

/**
 * Refuses a config under which strangers could read everything or nobody could read anything.
 * @throws InvalidConfig
 */
export function assertAuthIsSafe(config: Pick<ResolvedConfig, 'auth' | 'server'>): void {
  const { auth, server } = config;
  if (auth.mode === 'none') {
    if (!isLoopback(server.host))
      throw new InvalidConfig(
        'auth.mode none is allowed on a loopback host only: set auth.mode to required, or server.host to 127.0.0.1.',
      );
    return;
  }
  if (!auth.jwt && (auth.apiKeys ?? []).length === 0)
    throw new InvalidConfig('auth.mode required needs auth.jwt or auth.apiKeys, or nobody can ask anything.');
  const { secret, publicKey, jwksUrl } = auth.jwt ?? {};
  if (auth.jwt && [secret, publicKey, jwksUrl].filter((key) => key !== undefined).length !== 1)
    throw new InvalidConfig('auth.jwt needs exactly one of secret, publicKey and jwksUrl.');
  if (secret !== undefined && (Buffer.byteLength(secret) < MIN_SECRET_BYTES || secret.includes('-----BEGIN')))
    throw new InvalidConfig(
      `auth.jwt.secret must be a shared secret of at least ${MIN_SECRET_BYTES} bytes; a PEM key belongs in publicKey.`,
    );
}

export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '').toLowerCase();
  return bare === 'localhost' || bare === '::1' || /^(?:::ffff:)?127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(bare);
}

/** Builds the check of a caller's identity from the config. @throws InvalidConfig when the config is not safe. */
export function createIdentify(config: Pick<ResolvedConfig, 'auth' | 'server'>, clock: Clock): Identify {
  assertAuthIsSafe(config);
  const { auth } = config;
  if (auth.mode === 'none') return async (headers) => claimedPrincipal(headers);
  const byToken = auth.jwt && tokenVerifier(auth.jwt, clock);
  const byKey = apiKeyLookup(auth.apiKeys ?? []);
  return async (headers) => {
    // A caller that sends a token is judged by the token alone: a bad one never falls back to something weaker. Clients that know no
    // other header than this one, as those of OpenAI's API, send an API key in it.
    if (headers.authorization !== undefined) {
      const ofKey = byKey(/^Bearer +(.+)$/i.exec(headers.authorization)?.[1] ?? '');
      if (ofKey) return ofKey;
      const token = /^Bearer +([\w.~+/=-]+)$/i.exec(headers.authorization)?.[1];
      if (!byToken || token === undefined)
        throw new Unauthenticated('The Authorization header is not a bearer token that is taken here.');
      return byToken(token);
    }
    const key = headers['x-api-key'];
    const principal = typeof key === 'string' ? byKey(key) : undefined;
    if (!principal) throw new Unauthenticated('The request carries no valid credentials.');
    return principal;
  };
}

function claimedPrincipal(headers: IncomingHttpHeaders): Principal {
  const tenant = headers['x-freshet-tenant'] ?? DEFAULT_TENANT;
  const groups = headers['x-freshet-groups'] ?? '';
  if (typeof tenant !== 'string' || tenant.trim() === '' || tenant.length > MAX_NAME_CHARS)
    throw new InvalidRequest('x-freshet-tenant must name one tenant.');
  return {
    tenant: tenant.trim(),
    groups: String(groups)
      .split(',')
      .map((group) => group.trim())
      .filter((group) => group !== ''),
  };
}

function tokenVerifier(jwt: Jwt, clock: Clock): (token: string) => Promise<Principal> {
  const { key, algorithms } = verificationKey(jwt);
  return async (token) => {
    const options: JWTVerifyOptions = {
      algorithms,
      currentDate: new Date(clock.now()),
      ...(jwt.issuer !== undefined && { issuer: jwt.issuer }),
      ...(jwt.audience !== undefined && { audience: jwt.audience }),
    };
    try {
      const { payload } =
        typeof key === 'function' ? await jwtVerify(token, key, options) : await jwtVerify(token, key, options);
      return principalOf(payload);
    } catch (cause) {
      if (cause instanceof Unauthenticated) throw cause;
      throw new Unauthenticated('The bearer token is not valid.', { cause });
    }
  };
}

/** The key, and the algorithms that this very key may be used with: a token never chooses them (B16, S25). */
function verificationKey(jwt: Jwt): { key: KeyObject | Uint8Array | JWTVerifyGetKey; algorithms: string[] } {
  if (jwt.secret !== undefined) return { key: new TextEncoder().encode(jwt.secret), algorithms: ['HS256'] };
  if (jwt.jwksUrl !== undefined)
    return {
      key: createRemoteJWKSet(new URL(jwt.jwksUrl), { cooldownDuration: JWKS_COOLDOWN_MS }),
      algorithms: ASYMMETRIC,
    };
  const key = readPublicKey(jwt.publicKey ?? '');
  return { key, algorithms: algorithmsOf(key) };
}

function readPublicKey(pem: string): KeyObject {
  try {
    return createPublicKey(pem.trim());
  } catch (cause) {
    throw new InvalidConfig('auth.jwt.publicKey is not a public key in PEM form.', { cause });
  }
}

function algorithmsOf(key: KeyObject): string[] {
  const type = key.asymmetricKeyType;
  if (type === 'rsa') return ASYMMETRIC.filter((name) => /^[RP]S/.test(name));
  if (type === 'ed25519') return ['EdDSA', 'Ed25519'];
  const curve = type === 'ec' ? EC_ALGORITHMS[key.asymmetricKeyDetails?.namedCurve ?? ''] : undefined;
  if (curve !== undefined) return [curve];
  throw new InvalidConfig('auth.jwt.publicKey must be an RSA, EC (P-256, P-384, P-521) or Ed25519 key.');
}

/** A claim of the wrong form is refused, never read as something wider or narrower. */
function principalOf(payload: JWTPayload): Principal {
  const { sub, tenant, groups = [] } = payload as JWTPayload & { tenant?: unknown; groups?: unknown };
  if (typeof tenant !== 'string' || tenant === '' || tenant.length > MAX_NAME_CHARS)
    throw new Unauthenticated('The bearer token names no tenant.');
  if (!Array.isArray(groups) || !groups.every((group): group is string => typeof group === 'string'))
    throw new Unauthenticated('The claim groups of the bearer token is not a list of names.');
  return { tenant, groups, ...(typeof sub === 'string' && { subject: sub }) };
}

/** Every key is compared, over digests of one length, so that time tells neither which key nor how much of it matched. */
function apiKeyLookup(keys: NonNullable<Auth['apiKeys']>): (key: string) => Principal | undefined {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  const known = keys.map(({ key, tenant, groups = [] }) => ({ digest: digest(key), principal: { tenant, groups } }));
  return (key) => {
    const sent = digest(key);
    let found: Principal | undefined;
    for (const candidate of known) if (timingSafeEqual(candidate.digest, sent)) found = candidate.principal;
    return found;
  };
}
