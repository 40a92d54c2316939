import { afterEach, expect } from 'vitest';
import type { Document, Lineage, Passage } from '../../schemas/document.ts';
import { documentId, parseDocumentId, passageId, type DocumentId } from '../../schemas/ids.ts';
import type { Filter } from '../../schemas/query.ts';
import type { SourceVersion } from '../../schemas/version.ts';
import type {
  AdvancePosition,
  DocumentStore,
  DocumentWrite,
  PassageVectors,
  RemoveBelowVersion,
  RemoveDocument,
  ReplaceDocument,
  SearchScope,
  TouchDocument,
  WriteOutcome,
} from './document-store.ts';

/** Builders for the tests of a document store. */

export const DIMENSIONS = 4;
export const LINEAGE: Lineage = { chunker: 'chunker-1', piiPolicy: 'mask-1', embedder: 'model-1' };

export function anId(key: string, table = 'public.articles', source = 'helpdesk'): DocumentId {
  return documentId({ source, table, key: [key] });
}

/** A unit vector that points mostly along one axis. */
export function aVector(axis: number, tilt = 0): Float32Array {
  const vector = new Float32Array(DIMENSIONS);
  vector[axis % DIMENSIONS] = Math.cos(tilt);
  vector[(axis + 1) % DIMENSIONS] = Math.sin(tilt);
  return vector;
}

export interface ReplaceFields extends Partial<Omit<Document, 'id' | 'version' | 'kind'>> {
  readonly id?: DocumentId;
  readonly version?: bigint;
  /** One text per passage; the document's text is all of them, joined by a blank line. */
  readonly passages?: readonly string[];
  readonly headings?: readonly string[];
  readonly vectors?: PassageVectors;
  readonly contentHash?: string;
}

export function aReplace(fields: ReplaceFields = {}): ReplaceDocument {
  const {
    id = anId('1'),
    version = 1n,
    passages: texts = ['a passage'],
    headings = [],
    vectors,
    contentHash,
    ...rest
  } = fields;
  const key = parseDocumentId(id);
  const title = rest.title ?? 'a title';
  const document: Document = {
    kind: 'document',
    id,
    version: version as SourceVersion,
    source: { name: key?.source ?? '', table: key?.table ?? '', key: key?.key.join(',') ?? '' },
    position: '0/1',
    committedAt: 1_000,
    tenant: 'acme',
    acl: null,
    parts: [],
    bodyFormat: 'text',
    metadata: {},
    ...rest,
    title,
  };
  let start = 0;
  const passages = texts.map((text, ordinal): Passage => {
    const end = start + text.length;
    const passage = {
      id: passageId(id, ordinal),
      ordinal,
      start,
      end,
      text,
      headings,
      tokens: 3,
      vectorKey: `key ${text}`,
    };
    start = end + 2;
    return passage;
  });
  return {
    kind: 'replace',
    document,
    text: texts.join('\n\n'),
    passages,
    vectors: vectors ?? texts.map((_, i) => aVector(i)),
    lineage: LINEAGE,
    contentHash: contentHash ?? `hash of ${title} ${texts.join()}`,
  };
}

export function aRemove(id: DocumentId = anId('1'), version = 2n): RemoveDocument {
  const key = parseDocumentId(id);
  const source = { name: key?.source ?? '', table: key?.table ?? '', key: key?.key.join(',') ?? '' };
  return { kind: 'remove', id, version: version as SourceVersion, source, committedAt: 2_000 };
}

export function aTouch(replace: ReplaceDocument, version: bigint): TouchDocument {
  const { document, contentHash } = replace;
  return {
    kind: 'touch',
    id: document.id,
    version: version as SourceVersion,
    contentHash,
    position: '0/9',
    committedAt: 9_000,
  };
}

export function aRemoveBelow(version: bigint, fields: Partial<RemoveBelowVersion> = {}): RemoveBelowVersion {
  return {
    kind: 'remove-below',
    source: 'helpdesk',
    table: 'public.articles',
    version: version as SourceVersion,
    lane: 'lane/0',
    lanes: 1,
    ...fields,
  };
}

export function anAdvance(position: string, fields: Partial<AdvancePosition> = {}): AdvancePosition {
  return {
    kind: 'advance',
    level: 'searchable',
    source: 'helpdesk',
    lane: 'lane/0',
    lanes: 1,
    epoch: 1,
    position,
    committedAt: 5_000,
    ...fields,
  };
}

export function aScope(fields: { tenant?: string; groups?: readonly string[]; filter?: Filter } = {}): SearchScope {
  const { tenant = 'acme', groups = [], filter = {} } = fields;
  return { principal: { tenant, groups }, filter };
}

/** Keys of the documents that a lexical and a dense search see; both must see the same. */
export async function visible(store: DocumentStore, scope: SearchScope, text = 'passage'): Promise<string[]> {
  const { lexical, dense } = await store.search({
    scope,
    lexical: { text, depth: 100 },
    dense: { vector: aVector(0, 0.7), depth: 100 },
  });
  const keys = [lexical, dense].map((hits) => new Set(hits.map(({ source }) => source.key)));
  const [byWords, byVector] = keys.map((found) => [...found].toSorted());
  if (JSON.stringify(byWords) !== JSON.stringify(byVector))
    throw new Error(`the legs disagree: ${JSON.stringify(byWords)} and ${JSON.stringify(byVector)}`);
  return byWords ?? [];
}

/** What became of writes, in a word each. */
export function kinds(outcomes: readonly WriteOutcome[]): string[] {
  return outcomes.map(({ kind }) => kind);
}

/** Opens stores that hold what was written to them, every write applied; closes them after each test. */
export function freshStores(
  open: () => Promise<DocumentStore>,
): (...writes: readonly DocumentWrite[]) => Promise<DocumentStore> {
  const opened: DocumentStore[] = [];
  afterEach(async () => {
    for (const store of opened.splice(0)) await store[Symbol.asyncDispose]();
  });
  return async (...writes) => {
    const store = await open();
    opened.push(store);
    if (writes.length > 0) expect(kinds(await store.write(writes))).toEqual(writes.map(() => 'applied'));
    return store;
  };
}
