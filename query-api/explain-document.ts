import Type from 'typebox';
import type { DocumentStore, StoredDocument } from '../ports/document-store/document-store.ts';
import { NotFound } from '../runtime/errors.ts';
import { parseDocumentId, parsePassageId, type DocumentId } from '../schemas/ids.ts';

/** Reply of GET /v1/admin/explain/<id>. */
export const Explanation = Type.Object({
  documentId: Type.String(),
  searchable: Type.Boolean(),
  reason: Type.String(),
  version: Type.Optional(Type.String()),
  deleted: Type.Optional(Type.Boolean()),
  position: Type.Optional(Type.String()),
  committedAt: Type.Optional(Type.Number()),
  indexedAt: Type.Optional(Type.Number()),
  contentHash: Type.Optional(Type.String()),
  tenant: Type.Optional(Type.String()),
  acl: Type.Optional(Type.Union([Type.Array(Type.String()), Type.Null()])),
  lineage: Type.Optional(Type.Object({ chunker: Type.String(), piiPolicy: Type.String(), embedder: Type.String() })),
  passages: Type.Optional(
    Type.Array(
      Type.Object({
        passageId: Type.String(),
        span: Type.Object({ start: Type.Integer(), end: Type.Integer() }),
        tokens: Type.Integer(),
        vectorKey: Type.String(),
        hasVector: Type.Boolean(),
      }),
    ),
  ),
});
export type Explanation = Type.Static<typeof Explanation>;

/**
 * What the index holds of a document or passage and why it is (not) searchable (R21). Shows no text.
 * @param text id of a document or passage
 * @param isFor whether the caller may be told of what was found; undefined for a document that the index has never held
 * @throws NotFound for what is no id, and for what is not for the caller: the two cannot be told apart.
 */
export async function explainDocument(
  text: string,
  store: DocumentStore,
  isFor: (document: StoredDocument | undefined) => boolean,
  signal: AbortSignal,
): Promise<Explanation> {
  const passage = parsePassageId(text);
  const id = passage?.documentId ?? (text as DocumentId);
  if (!parseDocumentId(id))
    throw new NotFound(
      'This is neither the id of a document, <source>/<table>/<key>, nor of a passage, <document id>#<ordinal>.',
    );
  const [document] = await store.read([id], {}, signal);
  if (!isFor(document))
    throw new NotFound(
      'There is no such document for the caller. Take the id from a search result, as it stands there.',
    );
  if (!document) return { documentId: id, searchable: false, reason: 'The index has never held this document.' };
  const passages = document.passages.filter((one) => passage === undefined || one.ordinal === passage.ordinal);
  return {
    documentId: id,
    searchable: !document.deleted && passages.length > 0,
    reason: reasonOf(document.deleted, passages.length, passages.filter((one) => one.hasVector).length),
    version: document.version.toString(),
    deleted: document.deleted,
    position: document.position,
    committedAt: document.committedAt,
    indexedAt: document.indexedAt,
    ...(!document.deleted && {
      contentHash: document.contentHash,
      tenant: document.tenant,
      acl: document.acl && [...document.acl],
      lineage: { ...document.lineage },
    }),
    passages: passages.map(({ id: passageId, start, end, tokens, vectorKey, hasVector }) => ({
      passageId,
      span: { start, end },
      tokens,
      vectorKey,
      hasVector,
    })),
  };
}

function reasonOf(isDeleted: boolean, passages: number, withVector: number): string {
  if (isDeleted) return 'It was deleted at its source; a tombstone of this version refuses anything older.';
  if (passages === 0) return 'It has no such passage: it is empty, or the ordinal is beyond its last passage.';
  if (withVector < passages)
    return `Searchable by words; ${passages - withVector} of ${passages} vectors are still missing.`;
  return 'Searchable by words and by vector, for its tenant and ACL.';
}
