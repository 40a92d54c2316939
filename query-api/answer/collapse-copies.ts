import type { Hit } from '../../ports/document-store/document-store.ts';

/** From this many tokens on, passages with the same text say the same, whatever their titles are; `Deprecated.` does not. */
const TELLING_TOKENS = 16;

/**
 * Keeps of passages with the same text the first one: a document that is stored twice (two sources, a page that was copied) would take a
 * second place in the prompt and tell nothing more. White space does not tell texts apart; title and headings do where the text is
 * short. Pure; keeps the order.
 * @param hits best first, of one caller: what is kept is as visible as what is left out.
 */
export function collapseCopies(hits: readonly Hit[]): readonly Hit[] {
  const seen = new Set<string>();
  return hits.filter((hit) => {
    const key = saying(hit);
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

function saying({ title, passage: { text, tokens, headings } }: Hit): string {
  const words = text.replace(/\s+/g, ' ').trim();
  return tokens >= TELLING_TOKENS ? words : JSON.stringify([title, headings, words]);
}
