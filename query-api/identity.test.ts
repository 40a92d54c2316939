import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, SignJWT, UnsecuredJWT, type JWTPayload } from 'jose';
import { afterEach, describe, expect, test } from 'vitest';
import { systemClock } from '../runtime/clock.ts';
import type { ResolvedConfig } from '../runtime/config/config.ts';
import { InvalidConfig, Unauthenticated } from '../runtime/errors.ts';
import { assertAuthIsSafe, createIdentify } from './identity.ts';

const SECRET = 'a shared secret of thirty-two bytes or more';
const server = { host: '127.0.0.1', port: 0 };
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ed = generateKeyPairSync('ed25519');
const pem = (key: KeyObject) => key.export({ type: 'spki', format: 'pem' }).toString();

type Auth = ResolvedConfig['auth'];
const identify = (auth: Auth) => createIdentify({ auth, server }, systemClock);
const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const claims = (over: JWTPayload = {}): JWTPayload => ({ sub: 'ann', tenant: 'acme', groups: ['staff'], ...over });
const hs = (payload: JWTPayload, key: string | Uint8Array = SECRET, alg = 'HS256') =>
  new SignJWT(payload).setProtectedHeader({ alg }).sign(typeof key === 'string' ? new TextEncoder().encode(key) : key);
const signed = (payload: JWTPayload, key: KeyObject, alg: string, kid = 'k1') =>
  new SignJWT(payload).setProtectedHeader({ alg, kid }).sign(key);

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

describe('auth.mode none', () => {
  test.each(['0.0.0.0', '::', '10.0.0.7', 'freshet.example', ''])('is refused on the host %j', (host) => {
    expect(() => assertAuthIsSafe({ auth: { mode: 'none' }, server: { host, port: 1 } })).toThrow(InvalidConfig);
  });

  test.each(['127.0.0.1', '127.8.8.8', 'localhost', '::1', '[::1]'])('is allowed on %s', (host) => {
    expect(() => assertAuthIsSafe({ auth: { mode: 'none' }, server: { host, port: 1 } })).not.toThrow();
  });

  test('believes the headers, and makes an absent tenant the default one', async () => {
    const who = identify({ mode: 'none' });
    expect(await who({})).toEqual({ tenant: 'default', groups: [] });
    expect(await who({ 'x-freshet-tenant': 'acme', 'x-freshet-groups': ' a, b ,,' })).toEqual({
      tenant: 'acme',
      groups: ['a', 'b'],
    });
    await expect(who({ 'x-freshet-tenant': ' ' })).rejects.toThrow(/x-freshet-tenant/);
  });
});

describe('auth.mode required', () => {
  test.each<[string, Auth]>([
    ['no way to log in', { mode: 'required' }],
    ['two kinds of key', { mode: 'required', jwt: { secret: SECRET, publicKey: pem(rsa.publicKey) } }],
    ['no key at all', { mode: 'required', jwt: {} }],
    ['a short secret', { mode: 'required', jwt: { secret: 'short' } }],
    ['a public key as a secret', { mode: 'required', jwt: { secret: ` ${pem(rsa.publicKey)}` } }],
    ['something else as a public key', { mode: 'required', jwt: { publicKey: 'nonsense' } }],
  ])('is refused with %s', (_what, auth) => {
    expect(() => identify(auth)).toThrow(InvalidConfig);
  });

  test('believes no headers', async () => {
    const who = identify({ mode: 'required', jwt: { secret: SECRET } });
    await expect(who({ 'x-freshet-tenant': 'acme', 'x-freshet-groups': 'staff' })).rejects.toThrow(Unauthenticated);
  });

  test('takes tenant, groups and subject from a token', async () => {
    const expected = { tenant: 'acme', groups: ['staff'], subject: 'ann' };
    const shared = identify({ mode: 'required', jwt: { secret: SECRET } });
    expect(await shared(bearer(await hs(claims())))).toEqual(expected);
    const byRsa = identify({ mode: 'required', jwt: { publicKey: pem(rsa.publicKey) } });
    expect(await byRsa(bearer(await signed(claims(), rsa.privateKey, 'RS256')))).toEqual(expected);
    const byEd = identify({ mode: 'required', jwt: { publicKey: pem(ed.publicKey) } });
    expect(await byEd(bearer(await signed(claims(), ed.privateKey, 'EdDSA')))).toEqual(expected);
  });

  test.each<[string, JWTPayload]>([
    ['no tenant', { tenant: undefined }],
    ['an empty tenant', { tenant: '' }],
    ['a list of tenants', { tenant: ['acme'] }],
    ['groups as text', { groups: 'staff' }],
    ['groups of numbers', { groups: [1] }],
    ['an expired time', { exp: 1 }],
    ['a time to come', { nbf: 99_999_999_999 }],
    ['an expiry as text', { exp: '99999999999' as never }],
  ])('refuses a token with %s', async (_what, over) => {
    const who = identify({ mode: 'required', jwt: { secret: SECRET } });
    await expect(who(bearer(await hs(claims(over))))).rejects.toThrow(Unauthenticated);
  });

  test('a token without groups is in no group', async () => {
    const who = identify({ mode: 'required', jwt: { secret: SECRET } });
    const { groups: _groups, ...rest } = claims();
    expect(await who(bearer(await hs(rest)))).toEqual({ tenant: 'acme', groups: [], subject: 'ann' });
  });

  test('checks issuer and audience where they are set', async () => {
    const who = identify({ mode: 'required', jwt: { secret: SECRET, issuer: 'idp', audience: 'freshet' } });
    expect((await who(bearer(await hs(claims({ iss: 'idp', aud: 'freshet' }))))).tenant).toBe('acme');
    await expect(who(bearer(await hs(claims({ iss: 'idp', aud: 'other' }))))).rejects.toThrow(Unauthenticated);
    await expect(who(bearer(await hs(claims({ aud: 'freshet' }))))).rejects.toThrow(Unauthenticated);
  });

  test('refuses a token that chooses another algorithm than the key is for', async () => {
    const byRsa = identify({ mode: 'required', jwt: { publicKey: pem(rsa.publicKey) } });
    const confused = [pem(rsa.publicKey), pem(rsa.publicKey).trim(), ` ${pem(rsa.publicKey)}`];
    for (const key of confused) await expect(byRsa(bearer(await hs(claims(), key)))).rejects.toThrow(Unauthenticated);
    await expect(byRsa(bearer(new UnsecuredJWT(claims()).encode()))).rejects.toThrow(Unauthenticated);
    const shared = identify({ mode: 'required', jwt: { secret: SECRET } });
    await expect(shared(bearer(new UnsecuredJWT(claims()).encode()))).rejects.toThrow(Unauthenticated);
    await expect(shared(bearer(await hs(claims(), SECRET, 'HS512')))).rejects.toThrow(Unauthenticated);
    await expect(shared(bearer(await hs(claims(), `${SECRET}!`)))).rejects.toThrow(Unauthenticated);
  });

  test('does not fall back to an API key when the token is bad', async () => {
    const who = identify({ mode: 'required', jwt: { secret: SECRET }, apiKeys: [{ key: 'k', tenant: 'acme' }] });
    expect(await who({ 'x-api-key': 'k' })).toEqual({ tenant: 'acme', groups: [] });
    await expect(who({ ...bearer('a.b.c'), 'x-api-key': 'k' })).rejects.toThrow(Unauthenticated);
    await expect(who({ authorization: 'Basic YTpi', 'x-api-key': 'k' })).rejects.toThrow(Unauthenticated);
    await expect(who({ 'x-api-key': 'K' })).rejects.toThrow(Unauthenticated);
    await expect(who({ 'x-api-key': '' })).rejects.toThrow(Unauthenticated);
  });

  test('takes an API key as a bearer token, for clients that know no other header', async () => {
    const apiKeys = [{ key: 'key with + and /', tenant: 'acme', groups: ['staff'] }];
    for (const jwt of [undefined, { secret: SECRET }]) {
      const who = identify({ mode: 'required', apiKeys, ...(jwt && { jwt }) });
      expect(await who(bearer('key with + and /'))).toEqual({ tenant: 'acme', groups: ['staff'] });
      await expect(who(bearer('key with + and'))).rejects.toThrow(Unauthenticated);
      await expect(who({ ...bearer(''), 'x-api-key': 'key with + and /' })).rejects.toThrow(Unauthenticated);
    }
  });

  test('fetches a key set once for a flood of unknown key ids', async () => {
    let fetches = 0;
    const jwk = { ...(await exportJWK(rsa.publicKey)), kid: 'k1', alg: 'RS256' };
    const issuer = createServer((_request, response) => {
      fetches++;
      response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: [jwk] }));
    });
    await new Promise<void>((resolve) => issuer.listen(0, '127.0.0.1', resolve));
    closing.push(() => new Promise((resolve) => issuer.close(() => resolve())));
    const jwksUrl = `http://127.0.0.1:${(issuer.address() as AddressInfo).port}/keys`;
    const who = identify({ mode: 'required', jwt: { jwksUrl } });
    expect((await who(bearer(await signed(claims(), rsa.privateKey, 'RS256')))).tenant).toBe('acme');
    for (const kid of ['../../dev/null', "' OR 1=1", 'x', 'y'])
      await expect(who(bearer(await signed(claims(), rsa.privateKey, 'RS256', kid)))).rejects.toThrow(Unauthenticated);
    await expect(who(bearer(await hs(claims(), pem(rsa.publicKey))))).rejects.toThrow(Unauthenticated);
    expect(fetches).toBe(1);
  });
});
