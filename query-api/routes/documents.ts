import Type from 'typebox';
import type { StoredDocument } from '../../ports/document-store/document-store.ts';
import { NotFound } from '../../runtime/errors.ts';
import { DocumentSource, MetadataValue } from '../../schemas/document.ts';
import { parseDocumentId, type DocumentId } from '../../schemas/ids.ts';
import type { RouteGroup } from '../deps.ts';
import { mayRead } from '../may-read.ts';
import { responses } from '../openapi.ts';

export const DocumentReply = Type.Object({
  documentId: Type.String(),
  title: Type.String(),
  text: Type.String({ description: 'What spans point into, UTF-16 code units.' }),
  version: Type.String(),
  committedAt: Type.Number(),
  indexedAt: Type.Number(),
  position: Type.String(),
  source: DocumentSource,
  metadata: Type.Record(Type.String(), MetadataValue),
  contentHash: Type.String(),
  lineage: Type.Object({ chunker: Type.String(), piiPolicy: Type.String(), embedder: Type.String() }),
  passages: Type.Array(
    Type.Object({
      passageId: Type.String(),
      span: Type.Object({ start: Type.Integer(), end: Type.Integer() }),
      headings: Type.Array(Type.String()),
      hasVector: Type.Boolean(),
    }),
  ),
});
export type DocumentReply = Type.Static<typeof DocumentReply>;

const Params = Type.Object({
  id: Type.String({ description: 'The whole document id, percent-encoded once more.' }),
});

/** GET /v1/documents/<id>. One 404 for unknown, deleted and forbidden: a caller cannot tell them apart (I10). */
export const documentRoutes: RouteGroup = (app, deps) => {
  app.get<{ Params: Type.Static<typeof Params> }>(
    '/v1/documents/:id',
    {
      schema: {
        operationId: 'readDocument',
        summary: 'One document as it is indexed',
        tags: ['questions'],
        params: Params,
        response: responses(DocumentReply, 401, 404, 503),
      },
    },
    async (request): Promise<DocumentReply> => {
      const { id } = request.params;
      const [document] = parseDocumentId(id)
        ? await deps.store.read([id as DocumentId], { asSearched: true }, request.left)
        : [];
      if (!document || document.deleted || !mayRead(request.principal, document))
        throw new NotFound('There is no such document for the caller.');
      return toReply(document);
    },
  );
};

function toReply(document: StoredDocument): DocumentReply {
  return {
    documentId: document.id,
    title: document.title,
    text: document.text,
    version: document.version.toString(),
    committedAt: document.committedAt,
    indexedAt: document.indexedAt,
    position: document.position,
    source: document.source,
    metadata: document.metadata as DocumentReply['metadata'],
    contentHash: document.contentHash,
    lineage: { ...document.lineage },
    passages: document.passages.map(({ id, start, end, headings, hasVector }) => ({
      passageId: id,
      span: { start, end },
      headings: [...headings],
      hasVector,
    })),
  };
}
