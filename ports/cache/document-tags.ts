import { parseDocumentId, type DocumentId } from '../../schemas/ids.ts';

/** What `Cache.deleteTagged` removes everything by that was made from one document. */
export function documentTag(id: DocumentId): string {
  return `document/${id}`;
}

/** The same for every document of a table or collection; source and table decoded. */
export function tableTag(source: string, table: string): string {
  return `table/${JSON.stringify([source, table])}`;
}

/** The tags of what is made from a document. */
export function tagsOfDocument(id: DocumentId): readonly string[] {
  const key = parseDocumentId(id);
  return key ? [documentTag(id), tableTag(key.source, key.table)] : [documentTag(id)];
}
