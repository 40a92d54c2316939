/** What a block is; it decides how it may be cut and what its borders are worth. */
export type BlockKind = 'heading' | 'paragraph' | 'list-item' | 'quote' | 'code' | 'table' | 'front-matter' | 'rule';

/** A block of a text: lines `start` to `end`, without the line break after the last. */
export interface Block {
  readonly kind: BlockKind;
  readonly start: number;
  readonly end: number;
  /** 1 to 6 of a heading, else 0. */
  readonly level: number;
  /** Text of a heading, header row of a table, else empty. */
  readonly title: string;
}

const TAB = 9;
const RETURN = 13;
const SPACE = 32;
const HASH = 35;
const STAR = 42;
const PLUS = 43;
const MINUS = 45;
const DOT = 46;
const COLON = 58;
const EQUALS = 61;
const GREATER = 62;
const UNDERSCORE = 95;
const BACKTICK = 96;
const PIPE = 124;
const TILDE = 126;
const CLOSING_PARENTHESIS = 41;

const CODE_INDENT = 4;
const MAX_SETEXT_LINES = 3;
const MAX_TITLE_CHARS = 200;

/** One line of the text: `text.slice(start, end)` without its break, `first` the first character that is not white. */
interface Line {
  start: number;
  end: number;
  first: number;
  next: number;
}

const isBlank = (line: Line): boolean => line.first === line.end;

function readLine(text: string, start: number, line: Line): void {
  const feed = text.indexOf('\n', start);
  let end = feed < 0 ? text.length : feed;
  line.start = start;
  line.next = feed < 0 ? end : feed + 1;
  if (end > start && text.charCodeAt(end - 1) === RETURN) end--;
  let first = start;
  while (first < end && isWhite(text.charCodeAt(first))) first++;
  line.end = end;
  line.first = first;
}

/** White space as JavaScript's `\s` and `trim` mean it. */
export function isWhite(unit: number): boolean {
  if (unit <= SPACE) return unit === SPACE || (unit >= TAB && unit <= RETURN);
  if (unit < 0xa0) return false;
  return (
    unit === 0xa0 ||
    unit === 0x3000 ||
    unit === 0xfeff ||
    (unit >= 0x2000 && unit <= 0x200a) ||
    unit === 0x2028 ||
    unit === 0x2029 ||
    unit === 0x202f ||
    unit === 0x205f ||
    unit === 0x1680
  );
}

/** Length of the run of `unit` at `from`. */
function run(text: string, unit: number, from: number, end: number): number {
  let at = from;
  while (at < end && text.charCodeAt(at) === unit) at++;
  return at - from;
}

/** Level of an ATX heading, 0 when the line is none. */
function atxLevel(text: string, line: Line): number {
  if (text.charCodeAt(line.first) !== HASH || line.first - line.start >= CODE_INDENT) return 0;
  const level = run(text, HASH, line.first, line.end);
  const after = line.first + level;
  return level <= 6 && (after === line.end || isWhite(text.charCodeAt(after))) ? level : 0;
}

function atxTitle(text: string, line: Line, level: number): string {
  let end = line.end;
  while (end > line.first && isWhite(text.charCodeAt(end - 1))) end--;
  let closing = end;
  while (closing > line.first + level && text.charCodeAt(closing - 1) === HASH) closing--;
  if (isWhite(text.charCodeAt(closing - 1))) end = closing;
  return titleOf(text, line.first + level, end);
}

/** A title as one line of bounded length. */
function titleOf(text: string, start: number, end: number): string {
  return text
    .slice(start, Math.min(end, start + MAX_TITLE_CHARS))
    .replace(/\s+/g, ' ')
    .trim();
}

/** Level of a setext underline (`=` 1, `-` 2), 0 when the line is none. */
function setextLevel(text: string, line: Line): number {
  const unit = text.charCodeAt(line.first);
  if ((unit !== EQUALS && unit !== MINUS) || line.first - line.start >= CODE_INDENT) return 0;
  let at = line.first + run(text, unit, line.first, line.end);
  while (at < line.end && isWhite(text.charCodeAt(at))) at++;
  if (at < line.end) return 0;
  return unit === EQUALS ? 1 : 2;
}

/** A thematic break: three or more of one of `*`, `-`, `_`, with or without spaces. */
function isRule(text: string, line: Line): boolean {
  const unit = text.charCodeAt(line.first);
  if (unit !== STAR && unit !== MINUS && unit !== UNDERSCORE) return false;
  let marks = 0;
  for (let at = line.first; at < line.end; at++) {
    const here = text.charCodeAt(at);
    if (here === unit) marks++;
    else if (!isWhite(here)) return false;
  }
  return marks >= 3;
}

/** Length of the fence that opens here, 0 when none does. */
function fenceLength(text: string, line: Line): number {
  const unit = text.charCodeAt(line.first);
  if (unit !== BACKTICK && unit !== TILDE) return 0;
  const length = run(text, unit, line.first, line.end);
  if (length < 3) return 0;
  // The info string of a backtick fence holds no backtick: such a line is inline code.
  if (unit === BACKTICK) {
    for (let at = line.first + length; at < line.end; at++) if (text.charCodeAt(at) === BACKTICK) return 0;
  }
  return length;
}

function isListItem(text: string, line: Line): boolean {
  const unit = text.charCodeAt(line.first);
  let after = line.first + 1;
  if (unit !== MINUS && unit !== STAR && unit !== PLUS && unit !== 0x2022) {
    if (unit < 48 || unit > 57) return false;
    while (after < line.end && after - line.first < 9 && text.charCodeAt(after) >= 48 && text.charCodeAt(after) <= 57)
      after++;
    const mark = text.charCodeAt(after);
    if (mark !== DOT && mark !== CLOSING_PARENTHESIS) return false;
    after++;
  }
  return after < line.end && isWhite(text.charCodeAt(after));
}

/** The row under a table's header: only `|`, `-`, `:` and spaces, at least one `-` and one `|`. */
function isDelimiterRow(text: string, line: Line): boolean {
  let pipes = 0;
  let dashes = 0;
  for (let at = line.first; at < line.end; at++) {
    const unit = text.charCodeAt(at);
    if (unit === PIPE) pipes++;
    else if (unit === MINUS) dashes++;
    else if (unit !== COLON && unit !== SPACE && unit !== TAB) return false;
  }
  return pipes > 0 && dashes > 0;
}

function hasPipe(text: string, line: Line): boolean {
  for (let at = line.first; at < line.end; at++) if (text.charCodeAt(at) === PIPE) return true;
  return false;
}

/** Where the front matter of a Markdown text ends (offset of the line after it), 0 when there is none. */
function frontMatterEnd(text: string): number {
  if (!text.startsWith('---\n') && !text.startsWith('---\r\n')) return 0;
  const line: Line = { start: 0, end: 0, first: 0, next: 0 };
  readLine(text, 0, line);
  while (line.next < text.length) {
    readLine(text, line.next, line);
    const length = line.end - line.start;
    if (length === 3 && (text.startsWith('---', line.start) || text.startsWith('...', line.start))) return line.end;
  }
  return 0;
}

/**
 * Splits a text into blocks in one pass over its lines; every character that is not white is in exactly one block. In plain text a
 * block is a paragraph or a list item; Markdown adds headings, fenced and indented code, tables, quotes and front matter. Nothing
 * recurses, so depth of nesting costs nothing.
 */
export function parseBlocks(text: string, format: 'text' | 'markdown'): Block[] {
  return new BlockReader(text, format === 'markdown').read();
}

class BlockReader {
  readonly #text: string;
  readonly #markdown: boolean;
  readonly #blocks: Block[] = [];
  readonly #line: Line = { start: 0, end: 0, first: 0, next: 0 };
  /** The paragraph, item or quote that is being read; `start` -1 when none is. */
  #kind: 'paragraph' | 'list-item' | 'quote' = 'paragraph';
  #start = -1;
  #end = 0;
  #lines = 0;
  /** A list is open: an indented line belongs to it and is no code. */
  #inList = false;

  constructor(text: string, markdown: boolean) {
    this.#text = text;
    this.#markdown = markdown;
  }

  read(): Block[] {
    const text = this.#text;
    let at = 0;
    if (this.#markdown) {
      at = frontMatterEnd(text);
      if (at > 0) this.#push('front-matter', 0, at);
    }
    while (at < text.length) {
      readLine(text, at, this.#line);
      at = isBlank(this.#line) ? this.#blank() : this.#markdown ? this.#markdownLine() : this.#plainLine();
    }
    this.#close();
    return this.#blocks;
  }

  #push(kind: BlockKind, start: number, end: number, level = 0, title = ''): void {
    this.#blocks.push({ kind, start, end, level, title });
  }

  #close(): void {
    if (this.#start >= 0) this.#push(this.#kind, this.#start, this.#end);
    this.#start = -1;
    this.#lines = 0;
  }

  #blank(): number {
    this.#close();
    return this.#line.next;
  }

  /** Adds the line to the open block, or opens one. */
  #append(kind: 'paragraph' | 'list-item' | 'quote', opens: boolean): number {
    if (opens || this.#start < 0) {
      this.#close();
      this.#kind = kind;
      this.#start = this.#line.first;
    }
    this.#end = this.#line.end;
    this.#lines++;
    return this.#line.next;
  }

  #plainLine(): number {
    return isListItem(this.#text, this.#line) ? this.#append('list-item', true) : this.#append('paragraph', false);
  }

  #markdownLine(): number {
    const text = this.#text;
    const line = this.#line;
    const indent = line.first - line.start;
    const unit = text.charCodeAt(line.first);
    const level = atxLevel(text, line);
    if (level > 0) {
      this.#close();
      this.#inList = false;
      this.#push('heading', line.first, line.end, level, atxTitle(text, line, level));
      return line.next;
    }
    const fence = fenceLength(text, line);
    if (fence > 0) return this.#fence(unit, fence);
    if (unit === EQUALS || unit === MINUS || unit === STAR || unit === UNDERSCORE) {
      if (this.#underline()) return line.next;
      if (isRule(text, line)) {
        this.#close();
        this.#inList = false;
        this.#push('rule', line.first, line.end);
        return line.next;
      }
    }
    if (isListItem(text, line)) {
      this.#inList = true;
      return this.#append('list-item', true);
    }
    if (this.#start < 0 && indent === 0) this.#inList = false;
    if (this.#start < 0 && !this.#inList && indent >= CODE_INDENT) return this.#indentedCode();
    if (unit === GREATER) return this.#append('quote', this.#kind !== 'quote');
    if (hasPipe(text, line)) {
      const after = this.#table();
      if (after > 0) return after;
    }
    return this.#append('paragraph', false);
  }

  /** Turns the paragraph above a setext underline into a heading. */
  #underline(): boolean {
    if (this.#start < 0 || this.#kind !== 'paragraph' || this.#lines > MAX_SETEXT_LINES) return false;
    const level = setextLevel(this.#text, this.#line);
    if (level === 0) return false;
    this.#push('heading', this.#start, this.#line.end, level, titleOf(this.#text, this.#start, this.#end));
    this.#start = -1;
    this.#lines = 0;
    this.#inList = false;
    return true;
  }

  /** Reads to the closing fence; one that is never closed takes the rest of the text. */
  #fence(unit: number, length: number): number {
    const text = this.#text;
    const line = this.#line;
    this.#close();
    const start = line.first;
    let end = line.end;
    while (line.next < text.length) {
      readLine(text, line.next, line);
      end = line.end;
      const closing = run(text, unit, line.first, line.end);
      if (closing < length) continue;
      let at = line.first + closing;
      while (at < line.end && isWhite(text.charCodeAt(at))) at++;
      if (at === line.end) break;
    }
    this.#push('code', start, end);
    return line.next;
  }

  #indentedCode(): number {
    const text = this.#text;
    const line = this.#line;
    const { start } = line;
    let { end, next } = line;
    while (line.next < text.length) {
      readLine(text, line.next, line);
      if (isBlank(line)) continue;
      if (line.first - line.start < CODE_INDENT) break;
      end = line.end;
      next = line.next;
    }
    this.#push('code', start, end);
    return next;
  }

  /** Reads a table that begins at this line; 0 when none does. */
  #table(): number {
    const text = this.#text;
    const header = { ...this.#line };
    if (header.next >= text.length) return 0;
    const line = this.#line;
    readLine(text, header.next, line);
    if (isBlank(line) || !isDelimiterRow(text, line)) {
      Object.assign(line, header);
      return 0;
    }
    this.#close();
    let { end, next } = line;
    while (line.next < text.length) {
      readLine(text, line.next, line);
      if (isBlank(line) || !hasPipe(text, line)) break;
      end = line.end;
      next = line.next;
    }
    this.#push('table', header.first, end, 0, titleOf(text, header.first, header.end));
    return next;
  }
}
