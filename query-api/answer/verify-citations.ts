import type { Citation } from '../../schemas/answer.ts';
import type { Hit } from '../../ports/document-store/document-store.ts';

/** A quote shorter than this proves nothing: a letter is a substring of everything. */
const MIN_QUOTE_CHARS = 3;

/**
 * Turns what a generator claims to quote into a citation, iff the marker is a passage of the prompt (markers count from 1) and the
 * quote stands in that passage letter for letter; else undefined, and the citation is dropped.
 */
export function verifyCitation(
  claim: { readonly marker: number; readonly quote: string },
  hits: readonly Hit[],
): Citation | undefined {
  const hit = hits[claim.marker - 1];
  if (!hit || claim.quote.trim().length < MIN_QUOTE_CHARS || !hit.passage.text.includes(claim.quote)) return undefined;
  return {
    marker: claim.marker,
    passageId: hit.passage.id,
    documentId: hit.documentId,
    quote: claim.quote,
    version: hit.version.toString(),
    committedAt: hit.committedAt,
  };
}
