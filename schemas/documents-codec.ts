import { Compile } from 'typebox/compile';
import { DocumentsRecord, type DocumentChange } from './document.ts';
import type { DocumentId } from './ids.ts';
import { parseVersion, type SourceVersion } from './version.ts';

const documentsRecord = Compile(DocumentsRecord);

/** Serialises a value of `freshet.documents`. */
export function encodeDocumentChange(change: DocumentChange): string {
  return JSON.stringify(withVersionText(change));
}

/** Versions as text, where they stand: JSON has no integers of 64 bits, and a replacer would be called for every string of a document. */
function withVersionText(change: DocumentChange): object {
  switch (change.kind) {
    case 'watermark':
    case 'remove-below':
      return change;
    case 'document':
    case 'tombstone':
      return { ...change, version: change.version.toString() };
    case 'carried': {
      const version = change.version.toString();
      const { document } = change;
      return {
        ...change,
        version,
        ...(document && { document: { ...document, version: document.version.toString() } }),
      };
    }
  }
}

/**
 * Reads a value of `freshet.documents` back.
 * @throws TypeError when the text is not one: the record was not written by this product.
 */
export function decodeDocumentChange(text: string): DocumentChange {
  const value: unknown = JSON.parse(text);
  if (!documentsRecord.Check(value)) {
    const first = documentsRecord.Errors(value)[0];
    throw new TypeError(`not a value of freshet.documents: ${first?.instancePath ?? ''} ${first?.message ?? ''}`);
  }
  switch (value.kind) {
    case 'watermark':
    case 'remove-below':
      return value;
    case 'document':
    case 'tombstone':
      return { ...value, id: value.id as DocumentId, version: versionIn(value) };
    case 'carried': {
      const { document, ...rest } = value;
      const carried = { ...rest, to: value.to as DocumentId, version: versionIn(value) };
      return document
        ? { ...carried, document: { ...document, id: document.id as DocumentId, version: versionIn(document) } }
        : carried;
    }
  }
}

function versionIn({ version: text }: { readonly version: string }): SourceVersion {
  const version = parseVersion(text);
  if (version === undefined) throw new TypeError('not a value of freshet.documents: /version is not a version');
  return version;
}
