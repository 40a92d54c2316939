import type { Span } from './read-chunking-set.ts';

export interface SplitterOptions {
  /** Longest passage, characters. */
  readonly chunkSize: number;
  /** Most that a passage repeats of the one before, characters. */
  readonly overlap: number;
}

/** Tried one after the other: paragraphs, lines, words, characters. */
const SEPARATORS: readonly string[] = ['\n\n', '\n', ' ', ''];

/**
 * The usual baseline: LangChain's `RecursiveCharacterTextSplitter` with its defaults (separators as above, kept at the start of what
 * follows, lengths in characters). Splits at the first separator that the text has, splits what is still too long at the next ones, then joins
 * neighbours up to `chunkSize`, each passage beginning with up to `overlap` characters of the one before. White space at borders is no part.
 * @returns spans in reading order; those of neighbours overlap.
 */
export function recursiveSplit(text: string, { chunkSize, overlap }: SplitterOptions): readonly Span[] {
  const spans: Span[] = [];
  split({ start: 0, end: text.length }, SEPARATORS);
  return spans;

  function split(whole: Span, separators: readonly string[]): void {
    const here = text.slice(whole.start, whole.end);
    const at = separators.findIndex((separator) => separator === '' || here.includes(separator));
    const separator = separators[at] ?? '';
    const rest = separators.slice(at + 1);
    let fitting: Span[] = [];
    for (const piece of pieces(whole, here, separator)) {
      if (piece.end - piece.start < chunkSize) {
        fitting.push(piece);
        continue;
      }
      join(fitting);
      fitting = [];
      if (rest.length === 0) push(piece);
      else split(piece, rest);
    }
    join(fitting);
  }

  function join(fitting: readonly Span[]): void {
    let from = 0;
    for (let next = 0; next < fitting.length; next++) {
      const end = fitting[next]?.end ?? 0;
      const lengthFrom = (first: number) => end - (fitting[first]?.start ?? end);
      if (next === from || lengthFrom(from) <= chunkSize) continue;
      const before = fitting[next - 1]?.end ?? 0;
      push({ start: fitting[from]?.start ?? 0, end: before });
      while (from < next && (before - (fitting[from]?.start ?? 0) > overlap || lengthFrom(from) > chunkSize)) from++;
    }
    const last = fitting.at(-1);
    if (last) push({ start: fitting[from]?.start ?? 0, end: last.end });
  }

  function push({ start, end }: Span): void {
    const passage = text.slice(start, end);
    const first = start + passage.length - passage.trimStart().length;
    const last = start + passage.trimEnd().length;
    if (first < last) spans.push({ start: first, end: last });
  }
}

/** The parts between separators; each but the first begins with its separator. */
function pieces({ start }: Span, here: string, separator: string): readonly Span[] {
  if (separator === '')
    return Array.from({ length: here.length }, (_, i) => ({ start: start + i, end: start + i + 1 }));
  const all: Span[] = [];
  let from = 0;
  for (let at = here.indexOf(separator); at >= 0; at = here.indexOf(separator, at + separator.length)) {
    if (at > from) all.push({ start: start + from, end: start + at });
    from = at;
  }
  all.push({ start: start + from, end: start + here.length });
  return all;
}
