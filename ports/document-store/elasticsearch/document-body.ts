import { createHash } from 'node:crypto';
import type { DocumentSource, Lineage, MetadataValue, Passage } from '../../../schemas/document.ts';
import { passageId, type DocumentId } from '../../../schemas/ids.ts';
import type { SourceVersion } from '../../../schemas/version.ts';
import type { RemoveDocument, ReplaceDocument, StoredDocument, StoredPassage } from '../document-store.ts';
import { isName } from '../is-name.ts';
import { metadataTokens } from './filter-tokens.ts';
import { parseTableKey, tableKeyOf } from './floors.ts';
import { foldWords } from './fold-words.ts';

/** A passage as the index holds it. */
export interface PassageBody {
  readonly ordinal: number;
  readonly start: number;
  readonly end: number;
  readonly tokens: number;
  readonly headings: readonly string[];
  /** The text as it is searched, and as it is shown unless `raw` is there. */
  readonly words: string;
  readonly raw?: string;
  readonly titleWords: string;
  readonly headingWords: string;
  readonly vectorKey: string;
  readonly hasVector: boolean;
  /** Base64 of big-endian 32-bit floats; Elasticsearch gives it back as numbers, and only when asked. */
  readonly vector?: string | readonly number[];
}

/** A document or tombstone as the index holds it: the whole `_source`. Integers of 64 bits are decimal strings. */
export interface DocumentBody {
  readonly id: DocumentId;
  readonly version: string;
  readonly deleted: boolean;
  readonly source: string;
  readonly table: string;
  readonly tenant: string;
  readonly open: boolean;
  readonly readers: readonly string[];
  readonly fields: readonly string[];
  readonly passageCount: number;
  readonly vectorCount: number;
  readonly position: string;
  readonly committedAt: number;
  readonly indexedAt: number;
  readonly contentHash: string;
  /** JSON of `Shown`: it keeps every name and number as it is, also `__proto__`. */
  readonly shown: string;
  /** What of the text no passage holds; with the passages it makes up the text. */
  readonly rest?: string;
  /** The whole text, in place of `rest`, where passages are not cut out of it. */
  readonly text?: string;
  readonly passages: readonly PassageBody[];
}

/** The part of a document that no condition looks at. */
export interface Shown {
  readonly source: DocumentSource;
  readonly acl: readonly string[] | null;
  readonly title: string;
  readonly metadata: { readonly [name: string]: MetadataValue };
  readonly lineage: Lineage;
}

const NO_LINEAGE: Lineage = { chunker: '', piiPolicy: '', embedder: '' };
/** Longest `_id` that Elasticsearch takes, bytes. */
const MAX_ID_BYTES = 512;

/** The `_id` of a document. One that is too long is hashed; no document id begins with `~`, or holds anything but ASCII. */
export function storedId(id: DocumentId): string {
  return Buffer.byteLength(id) <= MAX_ID_BYTES ? id : `~${createHash('sha256').update(id).digest('base64url')}`;
}

/** What a `replace` stores. */
export function documentBody(write: ReplaceDocument, indexedAt: number): DocumentBody {
  const { document, text, passages, vectors, lineage, contentHash } = write;
  const { id, version, source, tenant, acl, title, metadata, position, committedAt } = document;
  const shown: Shown = { source, acl, title, metadata, lineage };
  const titleWords = foldWords(title);
  return {
    id,
    version: String(version),
    deleted: false,
    ...parseTableKey(tableKeyOf(id) ?? '/'),
    tenant,
    open: acl === null,
    readers: (acl ?? []).filter(isName),
    fields: metadataTokens(metadata),
    passageCount: passages.length,
    vectorCount: vectors.reduce((count, vector) => count + (vector ? 1 : 0), 0),
    position,
    committedAt,
    indexedAt,
    contentHash,
    shown: JSON.stringify(shown),
    ...storedText(text, passages),
    passages: passages.map((passage) => passageBody(passage, titleWords, vectors[passage.ordinal])),
  };
}

function passageBody(passage: Passage, titleWords: string, vector: Float32Array | undefined): PassageBody {
  const { ordinal, start, end, tokens, headings, text, vectorKey } = passage;
  const words = foldWords(text);
  return {
    ordinal,
    start,
    end,
    tokens,
    headings,
    words,
    ...(words !== text && { raw: text }),
    titleWords,
    headingWords: foldWords(headings.join('\n')),
    vectorKey,
    hasVector: vector !== undefined,
    ...(vector && { vector: encodeVector(vector) }),
  };
}

/** What a `remove` stores: a tombstone, which outlives every replay. */
export function tombstoneBody(write: RemoveDocument, tenant: string, indexedAt: number): DocumentBody {
  const { id, version, source, committedAt } = write;
  return tombstone({ id, version: String(version), tenant, committedAt, indexedAt }, source);
}

/** What is left of a document below a range tombstone: its id and version. */
export function erasedBody(id: DocumentId, version: SourceVersion, indexedAt: number): DocumentBody {
  const source = { name: '', table: '', key: '' };
  return tombstone({ id, version: String(version), tenant: '', committedAt: 0, indexedAt }, source);
}

function tombstone(
  fields: Pick<DocumentBody, 'id' | 'version' | 'tenant' | 'committedAt' | 'indexedAt'>,
  source: DocumentSource,
): DocumentBody {
  const shown: Shown = { source, acl: [], title: '', metadata: {}, lineage: NO_LINEAGE };
  return {
    ...fields,
    ...parseTableKey(tableKeyOf(fields.id) ?? '/'),
    deleted: true,
    open: false,
    readers: [],
    fields: [],
    passageCount: 0,
    vectorCount: 0,
    position: '',
    contentHash: '',
    shown: JSON.stringify(shown),
    rest: '',
    passages: [],
  };
}

/** The document of a `_source`. */
export function storedDocument(body: DocumentBody, withVectors: boolean): StoredDocument {
  const { id, version, deleted, tenant, position, committedAt, indexedAt, contentHash } = body;
  const passages = body.passages.map((passage): StoredPassage => ({
    ...passageOf(id, passage),
    hasVector: passage.hasVector,
    vector: withVectors && passage.vector !== undefined ? decodeVector(passage.vector) : undefined,
  }));
  return {
    id,
    version: BigInt(version) as SourceVersion,
    deleted,
    tenant,
    ...(JSON.parse(body.shown) as Shown),
    text: body.text ?? covered(body.rest ?? '', passages),
    position,
    committedAt,
    indexedAt,
    contentHash,
    passages,
  };
}

/** The passage that a result shows. */
export function passageOf(document: DocumentId, body: PassageBody): Passage {
  const { ordinal, start, end, tokens, headings, words, raw, vectorKey } = body;
  return { id: passageId(document, ordinal), ordinal, start, end, text: raw ?? words, headings, tokens, vectorKey };
}

/** The text less what passages hold, so that it is not stored twice. */
function storedText(text: string, passages: readonly Passage[]): Pick<DocumentBody, 'rest' | 'text'> {
  let at = 0;
  let rest = '';
  for (const { start, end, text: slice } of passages) {
    if (text.slice(start, end) !== slice || end > text.length) return { text };
    if (start > at) rest += text.slice(at, start);
    at = Math.max(at, end);
  }
  return { rest: rest + text.slice(at) };
}

/** The text again: `storedText` turned round. */
function covered(rest: string, passages: readonly Passage[]): string {
  let text = '';
  let used = 0;
  for (const { start, end, text: slice } of passages) {
    if (start > text.length) {
      const gap = start - text.length;
      text += rest.slice(used, used + gap);
      used += gap;
    }
    if (end > text.length) text += slice.slice(text.length - start);
  }
  return text + rest.slice(used);
}

/** Base64 of big-endian floats: a fifth of the bytes of decimal numbers, and nothing is rounded. */
export function encodeVector(vector: Float32Array): string {
  const bytes = Buffer.allocUnsafe(vector.length * 4);
  for (const [i, value] of vector.entries()) bytes.writeFloatBE(value, i * 4);
  return bytes.toString('base64');
}

/** The vector of a `_source`: Elasticsearch prints each float so that it reads back as the same one. */
export function decodeVector(stored: string | readonly number[]): Float32Array {
  if (typeof stored !== 'string') return Float32Array.from(stored);
  const bytes = Buffer.from(stored, 'base64');
  return Float32Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readFloatBE(i * 4));
}
