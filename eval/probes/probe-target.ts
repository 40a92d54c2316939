import { createHmac } from 'node:crypto';
import type { Clock, Random } from '../../runtime/clock.ts';
import { ServerRefused, ServerUnreachable } from '../../runtime/errors.ts';
import type { DocumentId } from '../../schemas/ids.ts';
import { documentId } from '../../schemas/ids.ts';

/** A running server, and a webhook source of it that a probe may write canaries to. */
export interface ProbeTarget {
  /** Without a `/` at the end. */
  readonly address: string;
  readonly source: string;
  /** Of the source, as Standard Webhooks writes it: `whsec_` and base64. Never printed. */
  readonly secret: string;
  readonly fetch: typeof globalThis.fetch;
  readonly clock: Clock;
  /** Draws the words of canaries. */
  readonly random: Random;
}

/** Who asks, as headers; the tenant and groups that the server will take the caller for. */
export interface ProbeCaller {
  readonly tenant: string;
  readonly groups: readonly string[];
  readonly headers: Readonly<Record<string, string>>;
}

/** A document that a probe writes. */
export interface Canary {
  readonly key: string;
  readonly title: string;
  readonly body: string;
  readonly tenant: string;
  /** null: every member of the tenant. */
  readonly acl: readonly string[] | null;
  readonly metadata?: Readonly<Record<string, string>>;
}

/** All a reply says, its headers included. */
export interface ProbeReply {
  readonly status: number;
  readonly headers: string;
  readonly body: string;
  readonly tookMs: number;
}

const COLLECTION = 'canaries';

/** The id by which the product knows a canary. */
export function canaryId(source: string, key: string): DocumentId {
  return documentId({ source, table: COLLECTION, key: [key] });
}

/** A word that no text contains: letters only, so that no tokenizer cuts it and no filter takes it for a number. */
export function canaryWord(random: Random): string {
  return Array.from({ length: 16 }, () => String.fromCharCode(97 + Math.floor(random() * 26))).join('');
}

/** Writes a canary, or takes it back, through the source's webhook. @throws ServerRefused when the server does not accept it. */
export async function writeCanary(
  canary: Canary | { readonly key: string },
  version: number,
  target: ProbeTarget,
  signal: AbortSignal,
): Promise<void> {
  const { source, secret, clock, random } = target;
  const { key } = canary;
  const event = { id: canaryWord(random), collection: COLLECTION, key, version: String(version) };
  const body = JSON.stringify(
    'body' in canary ? { ...event, type: 'upsert', document: documentOf(canary) } : { ...event, type: 'delete' },
  );
  const id = `msg_${canaryWord(random)}`;
  const timestamp = String(Math.floor(clock.now() / 1_000));
  const signed = createHmac('sha256', Buffer.from(secret.replace(/^whsec_/, ''), 'base64'));
  const signature = signed.update(`${id}.${timestamp}.`).update(body).digest('base64');
  const headers = { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': `v1,${signature}` };
  const { status } = await send('POST', `/v1/hooks/${encodeURIComponent(source)}`, { headers, body }, target, signal);
  if (status !== 202)
    throw new ServerRefused(
      `the source ${source} refused a canary with HTTP ${status}; it has to be a webhook source with the scheme standard-webhooks and the secret of this config`,
    );
}

function documentOf({ title, body, tenant, acl, metadata = {} }: Canary): object {
  return { title, body, bodyFormat: 'text', tenant, metadata, ...(acl && { acl }) };
}

/** Sends one request and reads the reply to its end, whatever its status. @throws ServerUnreachable when nothing answers. */
export async function send(
  method: string,
  path: string,
  { headers, body }: { readonly headers: Readonly<Record<string, string>>; readonly body?: string },
  { address, fetch, clock }: ProbeTarget,
  signal: AbortSignal,
): Promise<ProbeReply> {
  const began = clock.monotonicMs();
  // A signal of its own: node's fetch leaves its listener on the signal until the reply is collected, thousands on one that lives long.
  const own = new AbortController();
  const stop = (): void => own.abort(signal.reason);
  signal.throwIfAborted();
  signal.addEventListener('abort', stop, { once: true });
  try {
    const type = body === undefined ? {} : { 'content-type': 'application/json' };
    const reply = await fetch(`${address}${path}`, {
      method,
      headers: { ...type, ...headers },
      ...(body !== undefined && { body }),
      signal: own.signal,
    });
    const text = await reply.text();
    const lines = [...reply.headers].map(([name, value]) => `${name}: ${value}`).join('\n');
    return { status: reply.status, headers: lines, body: text, tookMs: clock.monotonicMs() - began };
  } catch (cause) {
    signal.throwIfAborted();
    throw new ServerUnreachable(`nothing answers at ${address}; start it with \`freshet start\``, { cause });
  } finally {
    signal.removeEventListener('abort', stop);
  }
}
