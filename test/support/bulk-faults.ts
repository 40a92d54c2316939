import { gunzipSync } from 'node:zlib';
import type { Meddle, ProxiedReply, ProxiedRequest } from './http-proxy.ts';

/** Every `n`-th bulk request is applied and its reply lost: what the client takes for a failure has happened. */
export function losingBulkReplies(n: number, lost: () => void): Meddle {
  let bulks = 0;
  return async (request, pass) => {
    const reply = await pass(request);
    if (!isBulk(request) || ++bulks % n !== 0) return reply;
    lost();
    return undefined;
  };
}

/** Every request of the kind is refused; alternately with 429 and a Retry-After, and with 503. */
export function refusing(isRefused: (request: ProxiedRequest) => boolean, refused: () => void): Meddle {
  let count = 0;
  return async (request, pass) => {
    if (!isRefused(request)) return pass(request);
    refused();
    const isBusy = ++count % 2 === 1;
    return {
      status: isBusy ? 429 : 503,
      headers: {
        'content-type': 'application/json',
        'x-elastic-product': 'Elasticsearch',
        ...(isBusy && { 'retry-after': '1' }),
      },
      body: Buffer.from(JSON.stringify({ error: { type: 'refused_by_test', reason: 'refused' } })),
    };
  };
}

/** Of every bulk request the `n`-th item is not passed on and is said to be refused with 429; its neighbours are applied. */
export function refusingItems(n: number, refused: (items: number) => void): Meddle {
  return async (request, pass) => {
    if (!isBulk(request)) return pass(request);
    const items = itemsOf(request);
    const isKept = items.map((_, index) => (index + 1) % n !== 0);
    const kept = items.filter((_, index) => isKept[index]);
    if (kept.length === items.length || kept.length === 0) return pass(request);
    refused(items.length - kept.length);
    const { 'content-encoding': _gzip, ...headers } = request.headers;
    const reply = await pass({ ...request, headers, body: Buffer.from(kept.map(({ lines }) => lines).join('')) });
    return reply.status === 200 ? withRefusals(reply, items, isKept) : reply;
  };
}

export function isBulk({ method, path }: ProxiedRequest): boolean {
  return method === 'POST' && /\/_bulk(\?|$)/.test(path);
}

interface BulkItem {
  readonly verb: string;
  readonly id: string;
  /** As sent, with their line ends. */
  readonly lines: string;
}

function itemsOf({ headers, body }: ProxiedRequest): BulkItem[] {
  const text = (headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body).toString();
  const lines = text.split('\n').filter((line) => line !== '');
  const items: BulkItem[] = [];
  for (let at = 0; at < lines.length; at++) {
    const head = lines[at] ?? '';
    const [[verb, { _id: id }] = ['', { _id: '' }]] = Object.entries(
      JSON.parse(head) as Record<string, { _id: string }>,
    );
    const tail = verb === 'delete' ? '' : `${lines[++at]}\n`;
    items.push({ verb, id, lines: `${head}\n${tail}` });
  }
  return items;
}

/** The reply as if the items that were held back had been refused. */
function withRefusals(reply: ProxiedReply, items: readonly BulkItem[], isKept: readonly boolean[]): ProxiedReply {
  const isZipped = reply.headers['content-encoding'] === 'gzip';
  const parsed = JSON.parse((isZipped ? gunzipSync(reply.body) : reply.body).toString()) as { items: object[] };
  const real = parsed.items.values();
  const merged = items.map(({ verb, id }, index) =>
    isKept[index]
      ? real.next().value
      : {
          [verb]: {
            _index: '',
            _id: id,
            status: 429,
            error: { type: 'es_rejected_execution_exception', reason: 'refused by a test' },
          },
        },
  );
  const { 'content-encoding': _gzip, ...headers } = reply.headers;
  return { ...reply, headers, body: Buffer.from(JSON.stringify({ ...parsed, errors: true, items: merged })) };
}
