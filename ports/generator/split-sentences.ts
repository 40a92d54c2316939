/** A piece of a text that can be quoted: `text.slice(start, end)`, letter for letter. */
export interface SentenceSpan {
  readonly start: number;
  readonly end: number;
  /** Code, tables and the like hold answers, but read badly as prose. */
  readonly kind: 'prose' | 'code';
}

/** A longer sentence is a wall of text or a minified line; nobody can check a quote of that size. */
const MAX_SENTENCE_CHARS = 700;
/** A line at least this long that ends in mid-sentence was wrapped by an editor. */
const WRAPPED_LINE_CHARS = 55;

/** A full stop that ends no sentence. */
export const ABBREVIATION =
  /(?:^|[\s(])(?:e\.g|i\.e|etc|vs|cf|approx|resp|incl|Mr|Mrs|Ms|Dr|Prof|St|Fig|No|Vol|al|Inc|Ltd|Co|Jr|Sr|[A-Z])\.\s*$/;
const FENCE = /^\s*(?:```|~~~)/;
const HEADING = /^\s{0,3}#{1,6}\s/;
const TABLE_RULE = /^[\s|:+=-]+$/;
const LIST_MARK = /^\s*(?:[-*+•]|\d{1,3}[.)])\s+|^\s*>+\s?/;
const LINK = /!?\[[^\][]*\](?:\([^()\s]*\)|\[[^\][]*\])/g;
const MARKUP_ONLY = /^\s*(?:<[^<>]{1,300}>\s*)+$/;

const SEGMENTER = new Intl.Segmenter('en', { granularity: 'sentence' });

/**
 * Cuts a passage (plain text or Markdown) into quotable spans, in reading order. Headings, badges, tables of contents and markup are
 * left out; list marks are not part of a span; a fenced block is one span of code.
 */
export function splitSentences(text: string): readonly SentenceSpan[] {
  const spans: SentenceSpan[] = [];
  let block: { start: number; end: number } | undefined;
  let fenceStart: number | undefined;
  const closeBlock = (): void => {
    if (block) spans.push(...sentencesOf(text, block.start, block.end));
    block = undefined;
  };
  for (const line of linesOf(text)) {
    const content = text.slice(line.start, line.end);
    if (FENCE.test(content)) {
      closeBlock();
      if (fenceStart === undefined) fenceStart = line.end + 1;
      else {
        push(spans, text, fenceStart, line.start, 'code');
        fenceStart = undefined;
      }
    } else if (fenceStart !== undefined) continue;
    else if (isNoise(content)) closeBlock();
    else {
      const mark = LIST_MARK.exec(content)?.[0].length ?? 0;
      const continues = block !== undefined && mark === 0 && isWrapped(text.slice(block.start, block.end));
      if (!continues) closeBlock();
      block = { start: continues && block ? block.start : line.start + mark, end: line.end };
    }
  }
  closeBlock();
  if (fenceStart !== undefined) push(spans, text, fenceStart, text.length, 'code'); // the chunk ended inside the block
  return spans;
}

function isNoise(line: string): boolean {
  return (
    line.trim() === '' || HEADING.test(line) || TABLE_RULE.test(line) || isLinksOnly(line) || MARKUP_ONLY.test(line)
  );
}

/** Badges, images and entries of a table of contents have nothing said around them: navigation, not evidence. */
function isLinksOnly(line: string): boolean {
  if (!line.includes('](') && !line.includes('][')) return false;
  const around = line.replace(LINK, '').replace(LINK, ''); // twice, for a badge: an image inside a link
  return !/\p{L}{2}/u.test(around);
}

function isWrapped(block: string): boolean {
  const lastLine = block.slice(block.lastIndexOf('\n') + 1);
  return lastLine.length >= WRAPPED_LINE_CHARS && !/[.!?:;。！？|]["'”’)\]*_`]*\s*$/u.test(lastLine);
}

function* linesOf(text: string): Iterable<{ readonly start: number; readonly end: number }> {
  let start = 0;
  while (start <= text.length) {
    const newline = text.indexOf('\n', start);
    const end = newline === -1 ? text.length : newline;
    yield { start, end };
    start = end + 1;
  }
}

function sentencesOf(text: string, start: number, end: number): SentenceSpan[] {
  const spans: SentenceSpan[] = [];
  // A newline always ends a sentence for the segmenter; here it is a wrapped line. Same length, so offsets hold.
  const flat = text.slice(start, end).replaceAll('\n', ' ');
  let from = 0;
  for (const { index, segment } of SEGMENTER.segment(flat)) {
    const to = index + segment.length;
    if (ABBREVIATION.test(flat.slice(from, to)) && to < flat.length) continue;
    push(spans, text, start + from, start + to, 'prose');
    from = to;
  }
  if (from < flat.length) push(spans, text, start + from, end, 'prose');
  return spans;
}

function push(spans: SentenceSpan[], text: string, start: number, end: number, kind: SentenceSpan['kind']): void {
  const raw = text.slice(start, end);
  const from = start + (raw.length - raw.trimStart().length);
  const to = start + raw.trimEnd().length;
  if (to > from && to - from <= MAX_SENTENCE_CHARS) spans.push({ start: from, end: to, kind });
}
