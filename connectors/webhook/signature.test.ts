import { createHmac } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { standardWebhooksKey, verifyStandardWebhook, type SignedDelivery } from './signature.ts';

const SECURITY = new URL('../../../shared/data/security/', import.meta.url);
const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
const NOW_MS = 1_614_265_330_000;

const rows = <T>(file: string): T[] =>
  existsSync(new URL(file, SECURITY))
    ? readFileSync(new URL(file, SECURITY), 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as T)
    : [];

const sign = (id: string, seconds: number, body: Uint8Array, secret = SECRET) =>
  `v1,${createHmac('sha256', standardWebhooksKey(secret)).update(`${id}.${seconds}.`).update(body).digest('base64')}`;

const delivery = (over: Partial<SignedDelivery> & { readonly signature?: string } = {}): SignedDelivery => {
  const body = over.body ?? Buffer.from('{"test": 1}');
  const seconds = NOW_MS / 1_000;
  return {
    body,
    nowMs: NOW_MS,
    toleranceMs: 300_000,
    headers: {
      'webhook-id': 'msg_1',
      'webhook-timestamp': String(seconds),
      'webhook-signature': over.signature ?? sign('msg_1', seconds, body),
    },
    ...over,
  };
};

const verify = (signed: SignedDelivery) => verifyStandardWebhook(signed, standardWebhooksKey(SECRET)).kind;

interface WebhookVector {
  readonly id: string;
  readonly scheme: string;
  readonly headers: Record<string, string>;
  readonly body_b64: string;
  readonly secret: string;
  readonly now: number;
  readonly tolerance_s: number;
  readonly accept: boolean;
}
const vectors = rows<WebhookVector>('webhook_signature_vectors_dev.jsonl').filter(
  ({ scheme }) => scheme === 'standard',
);

describe.skipIf(vectors.length === 0)('vectors of Standard Webhooks (need shared/data/security)', () => {
  test.each(vectors.map((vector) => [vector.id, vector] as const))('%s', (_id, vector) => {
    const accepts = () =>
      verifyStandardWebhook(
        {
          headers: vector.headers,
          body: Buffer.from(vector.body_b64, 'base64'),
          nowMs: vector.now * 1_000,
          toleranceMs: vector.tolerance_s * 1_000,
        },
        standardWebhooksKey(vector.secret),
      ).kind === 'valid';
    if (vector.accept) expect(accepts()).toBe(true);
    else expect(attempt(accepts)).not.toBe(true);
  });
});

interface HmacVector {
  readonly id: string;
  readonly tagSize: number;
  readonly key: string;
  readonly msg: string;
  readonly tag: string;
  readonly result: string;
}
const macs = rows<HmacVector>('wycheproof_hmac_sha256_dev.jsonl').filter(({ key }) => key.length >= 32);

describe.skipIf(macs.length === 0)('tags of Wycheproof (need shared/data/security)', () => {
  test('none that is truncated or modified passes as a signature', () => {
    for (const { key, msg, tag } of macs) {
      // Wycheproof signs the bare message; only the tag's form can be judged here, so none of them may pass.
      const signature = `v1,${Buffer.from(tag, 'hex').toString('base64')}`;
      const signed = delivery({ body: Buffer.from(msg, 'hex'), signature });
      expect(verifyStandardWebhook(signed, Buffer.from(key, 'hex')).kind).toBe('invalid');
    }
  });

  test('the digest that is compared is HMAC-SHA256', () => {
    for (const { key, msg, tag, tagSize, result } of macs) {
      const digest = createHmac('sha256', Buffer.from(key, 'hex')).update(Buffer.from(msg, 'hex')).digest('hex');
      if (tagSize === 256) expect(digest === tag).toBe(result === 'valid');
    }
  });
});

describe('a Standard Webhooks signature', () => {
  test('holds for the bytes that were signed', () => {
    expect(verifyStandardWebhook(delivery(), standardWebhooksKey(SECRET))).toEqual({ kind: 'valid', id: 'msg_1' });
  });

  test('does not hold when any byte of the body changes', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 200 }),
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (body, at, flip) => {
          const changed = Uint8Array.from(body);
          changed[at % body.length]! ^= flip;
          const signature = sign('msg_1', NOW_MS / 1_000, body);
          expect(verify(delivery({ body, signature }))).toBe('valid');
          expect(verify(delivery({ body: changed, signature }))).toBe('invalid');
        },
      ),
    );
  });

  test('holds when one of several does, while a secret is rotated', () => {
    const body = Buffer.from('{"test": 1}');
    const other = sign('msg_1', NOW_MS / 1_000, body, 'whsec_eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4');
    const own = sign('msg_1', NOW_MS / 1_000, body);
    expect(verify(delivery({ body, signature: `${other} ${own}` }))).toBe('valid');
    expect(verify(delivery({ body, signature: other }))).toBe('invalid');
  });

  test.each([
    ['a missing header', { 'webhook-id': undefined }],
    ['a header that occurs twice', { 'webhook-signature': ['v1,a', 'v1,b'] }],
    ['an id that was not signed', { 'webhook-id': 'msg_2' }],
    ['a fraction of a second', { 'webhook-timestamp': '1614265330.5' }],
    ['a negative time', { 'webhook-timestamp': '-1614265330' }],
  ])('does not hold with %s', (_what, headers) => {
    const signed = delivery();
    expect(verify({ ...signed, headers: { ...signed.headers, ...headers } })).toBe('invalid');
  });

  test.each(['', 'whsec_', 'whsec_c2hvcnQ=', 'whsec_not base64 at all, not at all'])(
    'is refused for the secret %j',
    (secret) => {
      expect(() => standardWebhooksKey(secret)).toThrow(/whsec_/);
    },
  );
});

function attempt<T>(run: () => T): T | undefined {
  try {
    return run();
  } catch {
    return undefined;
  }
}
