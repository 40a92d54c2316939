import { createHmac, timingSafeEqual } from 'node:crypto';
import { SourceMisconfigured } from '../../runtime/errors.ts';

/** What a signature is checked against. */
export interface SignedDelivery {
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** The body as it came, before any parse. */
  readonly body: Uint8Array;
  /** ms since the epoch */
  readonly nowMs: number;
  /** How far the timestamp may be off, either way, ms. */
  readonly toleranceMs: number;
}

/** A delivery whose signature holds, or what was wrong. The reason is for logs of counts; a sender only learns that it failed. */
export type SignatureVerdict =
  | { readonly kind: 'valid'; readonly id: string }
  | { readonly kind: 'invalid'; readonly reason: 'headers' | 'timestamp' | 'signature' };

/** Shorter keys can be guessed; the specification asks for 24 to 64 bytes. */
const MIN_SECRET_BYTES = 16;
const MAX_ID_CHARS = 512;
/** A rotation needs two; a longer list only costs time. */
const MAX_SIGNATURES = 16;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;
/** A digest of SHA-256 in base64. */
const DIGEST = /^[A-Za-z0-9+/]{43}=$/;

/**
 * The key bytes of a Standard Webhooks secret, `whsec_<base64>` (the prefix may be missing).
 * @throws SourceMisconfigured when it is not base64 or too short to be a secret.
 */
export function standardWebhooksKey(secret: string): Buffer {
  const encoded = secret.startsWith('whsec_') ? secret.slice('whsec_'.length) : secret;
  const key = Buffer.from(encoded, 'base64');
  if (!BASE64.test(encoded) || key.length < MIN_SECRET_BYTES)
    throw new SourceMisconfigured(
      `signature.secret must be whsec_ and the base64 of at least ${MIN_SECRET_BYTES} random bytes.`,
    );
  return key;
}

/**
 * Checks a delivery by Standard Webhooks: HMAC-SHA256 over `<id>.<timestamp>.<body>`, any one of the `v1,<base64>` signatures (there
 * are several while a secret is rotated), the timestamp within the tolerance. Compares in constant time.
 */
export function verifyStandardWebhook(delivery: SignedDelivery, key: Uint8Array): SignatureVerdict {
  const id = single(delivery.headers['webhook-id']);
  const timestamp = single(delivery.headers['webhook-timestamp']);
  const signatures = single(delivery.headers['webhook-signature']);
  if (id === undefined || id === '' || id.length > MAX_ID_CHARS || timestamp === undefined || signatures === undefined)
    return { kind: 'invalid', reason: 'headers' };
  if (!/^\d{1,12}$/.test(timestamp)) return { kind: 'invalid', reason: 'timestamp' };
  const offMs = Math.abs(Math.floor(delivery.nowMs / 1_000) - Number(timestamp)) * 1_000;
  if (offMs > delivery.toleranceMs) return { kind: 'invalid', reason: 'timestamp' };

  const expected = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(delivery.body).digest();
  let matches = false;
  for (const signature of signatures.split(' ').slice(0, MAX_SIGNATURES)) {
    const digest = signature.startsWith('v1,') ? signature.slice('v1,'.length) : '';
    // Every candidate is compared to the end, so that time does not tell which one came close.
    if (DIGEST.test(digest) && timingSafeEqual(Buffer.from(digest, 'base64'), expected)) matches = true;
  }
  return matches ? { kind: 'valid', id } : { kind: 'invalid', reason: 'signature' };
}

/** A header that occurs twice could mean either value; it counts as missing. */
function single(header: string | readonly string[] | undefined): string | undefined {
  return typeof header === 'string' ? header : undefined;
}
