import type { LogRecord, Offset } from '../../ports/log/log.ts';
import type { Document, Tombstone } from '../../schemas/document.ts';
import type { Envelope, Row } from '../../schemas/envelope.ts';
import { documentId, type DocumentId } from '../../schemas/ids.ts';
import { formatLsn, type Lsn } from '../../schemas/lsn.ts';
import { tableTopic, VERSION_HEADER } from '../../schemas/topics.ts';
import { sourceVersion, type SourceVersion } from '../../schemas/version.ts';

/* Builders: everything has a sensible value, a test names only what it is about. */

export const ARTICLES = tableTopic('help', 'public', 'articles');

export function articleId(key: string): DocumentId {
  return documentId({ source: 'help', table: 'public.articles', key: [key] });
}

export function version(position: number, epoch = 0): SourceVersion {
  return sourceVersion(epoch, BigInt(position));
}

export function aDocument(over: Partial<Document> & { readonly key?: string } = {}): Document {
  const { key = '1', ...rest } = over;
  return {
    kind: 'document',
    id: articleId(key),
    version: version(10),
    source: { name: 'help', table: 'public.articles', key },
    position: '0/A',
    committedAt: 1_700_000_000_000,
    tenant: 'default',
    acl: null,
    title: 'Returns',
    parts: [{ name: 'body', text: 'Goods can be returned within thirty days.' }],
    bodyFormat: 'text',
    metadata: {},
    ...rest,
  };
}

export function aTombstone(over: Partial<Tombstone> & { readonly key?: string } = {}): Tombstone {
  const { key = '1', ...rest } = over;
  const { id, version, source, position, committedAt } = aDocument({ key });
  return { kind: 'tombstone', id, version, source, position, committedAt, ...rest };
}

export interface EnvelopeOptions {
  readonly op?: Envelope['op'];
  readonly key?: string;
  readonly lsn?: number;
  readonly epoch?: number;
  readonly row?: Row | null;
  readonly headers?: Readonly<Record<string, string>>;
  readonly source?: Partial<Envelope['source']>;
}

let nextOffset = 0n;

/** A record of a source topic with one change of one row. */
export function aChange({
  op = 'u',
  key = '1',
  lsn = 10,
  epoch = 0,
  row = { id: key, title: 'Returns', body: 'Thirty days.' },
  headers = {},
  source = {},
}: EnvelopeOptions = {}): LogRecord {
  const position = formatLsn(BigInt(lsn) as Lsn);
  const envelope: Envelope = {
    op,
    before: null,
    after: op === 'd' ? null : row,
    source: {
      connector: 'postgresql',
      name: 'help',
      schema: 'public',
      table: 'articles',
      lsn: position,
      commitLsn: position,
      ts_ms: 1_700_000_000_000,
      snapshot: 'false',
      epoch,
      ...source,
    },
    ts_ms: 1_700_000_000_000,
  };
  return aRecord({
    topic: ARTICLES,
    key: articleId(key),
    value: JSON.stringify(envelope),
    headers: { ...headers, [VERSION_HEADER]: version(op === 'r' ? 0 : lsn, epoch).toString() },
  });
}

export function aRecord(
  over: {
    readonly topic?: string;
    readonly key?: string;
    readonly value?: string | Uint8Array | null;
    readonly partition?: number;
    readonly offset?: number;
    readonly headers?: Readonly<Record<string, string>>;
  } = {},
): LogRecord {
  const { value = '{}', offset } = over;
  return {
    topic: over.topic ?? ARTICLES,
    partition: over.partition ?? 0,
    offset: (offset === undefined ? nextOffset++ : BigInt(offset)) as Offset,
    key: over.key ?? articleId('1'),
    value: typeof value === 'string' ? Buffer.from(value) : value,
    headers: over.headers ?? {},
    timestamp: 1_700_000_000_000,
  };
}

export const never = new AbortController().signal;
