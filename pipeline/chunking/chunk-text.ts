import type { Tokenizer } from '../../ports/embedder/embedder.ts';
import { parseBlocks, type Block } from './blocks.ts';
import { pack } from './pack.ts';
import { sections } from './sections.ts';
import { Cut, unitsOf, type Units } from './units.ts';

export interface ChunkOptions {
  /** Longest passage, tokens. */
  readonly maxTokens: number;
  /** Whole sentences that a passage repeats of the one before, when a paragraph had to be cut between them, tokens. */
  readonly overlapTokens: number;
  readonly tokenizer: Tokenizer;
}

/** A passage as a span of the text: `text.slice(start, end)`, UTF-16 code units, no white space at its borders. */
export interface PassageSpan {
  readonly start: number;
  readonly end: number;
  /** Headings above its first character, outermost first; a passage that begins inside a table has the header row as the last. */
  readonly headings: readonly string[];
  /** Tokens of `text.slice(start, end)`. */
  readonly tokens: number;
}

/**
 * Cuts a text into passages of at most `maxTokens`, along headings, blocks and sentences, in reading order. Every character that is
 * not white is in at least one passage. Pure, linear in the length of the text, and stable: an edit of one sentence changes the
 * passage it is in, seldom one more, and never those beyond the next large heading.
 */
export function chunkText(text: string, format: 'text' | 'markdown', options: ChunkOptions): PassageSpan[] {
  const blocks = parseBlocks(text, format);
  const units = unitsOf(text, blocks, options);
  const bounds = sections(blocks, units, options.maxTokens);
  const path = new HeadingPath(blocks);
  const spans: PassageSpan[] = [];
  for (let s = 0; s + 1 < bounds.length; s++) {
    const to = bounds[s + 1] ?? 0;
    const firsts = pack(text, units, bounds[s] ?? 0, to, options.maxTokens);
    for (let p = 0; p < firsts.length; p++) {
      const first = firsts[p] ?? 0;
      const earliest = repeatedFrom(blocks, units, firsts[p - 1] ?? first, first);
      spans.push(spanOf(units, earliest, first, firsts[p + 1] ?? to, options, path));
    }
  }
  return spans;
}

/** The first unit that the passage from `first` may repeat: sentences of its own paragraph, but not the whole passage before. */
function repeatedFrom(blocks: readonly Block[], units: Units, previous: number, first: number): number {
  const block = units.blocks[first] ?? 0;
  // At the border of two blocks the text itself begins anew, and rows and lines of code are no sentences.
  if (!isProse(blocks[block])) return first;
  let earliest = first;
  while (earliest > previous + 1 && units.cuts[earliest] === Cut.sentence && units.blocks[earliest - 1] === block) {
    earliest--;
  }
  return earliest;
}

function spanOf(
  units: Units,
  earliest: number,
  first: number,
  next: number,
  options: ChunkOptions,
  path: HeadingPath,
): PassageSpan {
  let tokens = 0;
  let weight = 0;
  for (let i = first; i < next; i++) {
    tokens += units.tokens[i] ?? 0;
    weight += units.weights[i] ?? 0;
  }
  let room = Math.min(options.overlapTokens, options.maxTokens - weight);
  let start = first;
  while (start > earliest && (units.weights[start - 1] ?? 0) <= room) {
    start--;
    room -= units.weights[start] ?? 0;
    tokens += units.tokens[start] ?? 0;
  }
  const headings = path.at(units.blocks[first] ?? 0, units.cuts[first] ?? Cut.never);
  return { start: units.starts[start] ?? 0, end: units.ends[next - 1] ?? 0, headings, tokens };
}

const isProse = (block: Block | undefined): boolean =>
  block?.kind === 'paragraph' || block?.kind === 'list-item' || block?.kind === 'quote';

/** The headings above a block, for blocks that are asked for in ascending order. */
class HeadingPath {
  readonly #blocks: readonly Block[];
  #stack: Block[] = [];
  #titles: readonly string[] = [];
  #block = 0;

  constructor(blocks: readonly Block[]) {
    this.#blocks = blocks;
  }

  /** @param cut before the passage: one inside a table adds the table's header row. */
  at(block: number, cut: Cut): readonly string[] {
    for (; this.#block < block; this.#block++) {
      const passed = this.#blocks[this.#block];
      if (passed?.kind !== 'heading') continue;
      while (this.#stack.length > 0 && (this.#stack.at(-1)?.level ?? 0) >= passed.level) this.#stack.pop();
      this.#stack.push(passed);
      this.#titles = this.#stack.map((heading) => heading.title).filter((title) => title !== '');
    }
    const here = this.#blocks[block];
    if (here?.kind === 'heading') {
      return this.#stack.filter((above) => above.level < here.level && above.title !== '').map((above) => above.title);
    }
    const insideTable = here?.kind === 'table' && cut < Cut.item && here.title !== '';
    return insideTable ? [...this.#titles, here.title] : this.#titles;
  }
}
