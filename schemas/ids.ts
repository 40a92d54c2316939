import type { Brand } from './brand.ts';

/** `<source>/<table or collection>/<key>`, each component percent-encoded, the parts of a composite key joined by `,`. */
export type DocumentId = Brand<string, 'DocumentId'>;

/** `<document id>#<ordinal>`, ordinals from 0 in reading order. */
export type PassageId = Brand<string, 'PassageId'>;

/** What a document id is made of, decoded. */
export interface DocumentKey {
  readonly source: string;
  /** `schema.table` of a database, or the collection of a webhook. */
  readonly table: string;
  /** Key columns in the order of the primary key, as the source prints them. */
  readonly key: readonly string[];
}

const UNRESERVED = /^[A-Za-z0-9._~-]*$/;

/**
 * Percent-encodes everything but RFC 3986's unreserved characters, so that `/`, `,`, `#` and `%` inside a key cannot make two
 * keys collide. A lone surrogate, which UTF-8 cannot carry, is written as `%uXXXX`: it stays distinct and never throws.
 */
function encodeComponent(text: string): string {
  if (UNRESERVED.test(text)) return text; // nearly every key; character by character took 4 % of an ingest
  let out = '';
  for (const char of text) {
    const code = char.charCodeAt(0);
    const isLoneSurrogate = char.length === 1 && code >= 0xd800 && code <= 0xdfff;
    if (isLoneSurrogate) out += `%u${code.toString(16).toUpperCase()}`;
    else out += encodeURIComponent(char).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  }
  return out;
}

function decodeComponent(text: string): string {
  if (!text.includes('%')) return text;
  return text
    .split(/(%uD[89A-F][0-9A-F]{2})/)
    .map((part) =>
      part.startsWith('%u') ? String.fromCharCode(Number.parseInt(part.slice(2), 16)) : decodeURIComponent(part),
    )
    .join('');
}

/** Injective: different keys give different ids. An empty key part is kept as an empty string. */
export function documentId(key: DocumentKey): DocumentId {
  return `${encodeComponent(key.source)}/${encodeComponent(key.table)}/${key.key.map(encodeComponent).join(',')}` as DocumentId;
}

/** The parts of an id; undefined when the text is not one. */
export function parseDocumentId(id: string): DocumentKey | undefined {
  const parts = id.split('/');
  const [source, table, key] = parts;
  if (parts.length !== 3 || !source || !table || key === undefined) return undefined;
  try {
    return { source: decodeComponent(source), table: decodeComponent(table), key: key.split(',').map(decodeComponent) };
  } catch {
    return undefined; // a stray `%`
  }
}

/** The id of a passage by its ordinal, from 0 in reading order. */
export function passageId(document: DocumentId, ordinal: number): PassageId {
  return `${document}#${ordinal}` as PassageId;
}

/** Splits a passage id; undefined when it is not one. */
export function parsePassageId(id: string): { readonly documentId: DocumentId; readonly ordinal: number } | undefined {
  const match = /^(.+)#(\d{1,9})$/.exec(id);
  if (!match?.[1] || !parseDocumentId(match[1])) return undefined;
  return { documentId: match[1] as DocumentId, ordinal: Number(match[2]) };
}
