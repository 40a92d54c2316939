import type { StoredDocument } from '../../../ports/document-store/document-store.ts';
import type { Citation } from '../../../schemas/answer.ts';

/**
 * What the comparison of a kept answer with one that was written anew has found:
 * - `stale`: a quote of the kept answer is not in the document as it is stored, at the version that the citation names. Must never be.
 * - `moved`: a cited document has changed between the search and the audit, so that nothing can be said.
 * - `refused`: the generator would not answer now. `differs`: both rest on different passages. `agrees`: they share one.
 */
export type AuditResult = 'stale' | 'moved' | 'refused' | 'differs' | 'agrees';

/**
 * Compares by evidence, not by words: a model words the same thing differently. `documents` are read by id, past the search whose hits the key was made
 * of, so that a fault of the key or of the search shows. Pure.
 */
export function auditAnswer(
  kept: readonly Citation[],
  anew: { readonly refused: boolean; readonly citations: readonly Citation[] },
  documents: readonly (StoredDocument | undefined)[],
): AuditResult {
  const byId = new Map(documents.flatMap((document) => (document ? [[document.id as string, document] as const] : [])));
  let moved = false;
  for (const { documentId, version, passageId, quote } of kept) {
    const document = byId.get(documentId);
    if (!document || document.deleted || document.version.toString() !== version) moved = true;
    else if (!document.passages.some(({ id, text }) => id === passageId && text.includes(quote))) return 'stale';
  }
  if (moved) return 'moved';
  if (anew.refused) return 'refused';
  const cited = new Set(anew.citations.map(({ passageId }) => passageId));
  return kept.some(({ passageId }) => cited.has(passageId)) ? 'agrees' : 'differs';
}
