import { Parser } from 'htmlparser2';

/** Elements whose content is not for reading. */
const DROPPED = new Set(
  'script style noscript template svg math iframe object embed canvas nav form button select textarea head dialog'.split(
    ' ',
  ),
);
/** Elements that begin and end a block. */
const BLOCKS = new Set(
  'p div section article main header footer aside figure figcaption address details summary dl dt dd fieldset hgroup center body html'.split(
    ' ',
  ),
);
/** Characters that would make a paragraph look like a Markdown block when they come first. */
const LEADING_MARK = /^(#{1,6}(?=\s)|[-+*](?=\s)|>|`{3,}|~{3,}|={1,}$|-{1,}$|\d{1,9}[.)](?=\s))/;
const MAX_LIST_INDENT = 6;

/** Dropped elements whose content the parser reads as text, not as markup. */
const RAW = new Set('script style iframe noscript textarea'.split(' '));
/** Browsers flatten what is nested deeper (Blink: 512); the parser's stack costs time in proportion to its depth at every tag. */
const MAX_DEPTH = 512;

/**
 * The readable text of a page as light Markdown: headings, lists, tables, code and paragraphs; scripts, styles, navigation and forms
 * are dropped, an image is its alternative text. Broken markup is read as browsers would, and from a place nested deeper than 512
 * elements the rest is read as if the page began there. Linear in the length of the page.
 */
export function htmlToText(html: string): string {
  const writer = new MarkdownWriter();
  for (let at = 0; at < html.length;) {
    at += readPage(at === 0 ? html : html.slice(at), writer);
    writer.endPage();
  }
  return writer.text();
}

/** Reads until the end or until it is too deep, and returns how many characters it has read. */
function readPage(html: string, writer: MarkdownWriter): number {
  let depth = 0;
  let read = html.length;
  const parser = new Parser({
    onopentag: (name, attributes) => {
      if (read < html.length) return;
      writer.open(name, attributes);
      // The next page must not begin in what is no markup.
      if (++depth > MAX_DEPTH && !RAW.has(name)) {
        read = parser.endIndex + 1;
        parser.pause();
      }
    },
    ontext: (text) => {
      if (read === html.length) writer.append(text);
    },
    onclosetag: (name) => {
      depth--;
      if (read === html.length) writer.close(name);
    },
  });
  parser.write(html);
  if (read === html.length) parser.end();
  return read;
}

class MarkdownWriter {
  readonly #out: string[] = [];
  /** The block that is being read: its text so far, white space collapsed unless in code. */
  #line = '';
  #prefix = '';
  #dropped = 0;
  #code = 0;
  readonly #lists: { ordered: boolean; item: number }[] = [];
  /** Cells of the row that is being read; undefined outside tables. */
  #row: string[] | undefined;
  #rows = 0;
  readonly #tables: { row: string[] | undefined; rows: number }[] = [];
  #tight = false;

  open(name: string, attributes: { readonly [name: string]: string }): void {
    if (DROPPED.has(name) || attributes['hidden'] !== undefined || this.#dropped > 0) {
      if (!VOID.has(name)) this.#dropped++;
      return;
    }
    if (/^h[1-6]$/.test(name)) {
      this.#flush();
      this.#prefix = `${'#'.repeat(Number(name[1]))} `;
      return;
    }
    switch (name) {
      case 'br':
        if (this.#code > 0) this.#line += '\n';
        else this.#line += ' ';
        return;
      case 'hr':
        this.#flush();
        return;
      case 'img':
        this.append(attributes['alt'] ?? '');
        return;
      case 'pre':
        this.#flush();
        this.#code++;
        return;
      case 'blockquote':
        this.#flush();
        return;
      case 'ul':
      case 'ol':
        this.#flush();
        this.#lists.push({ ordered: name === 'ol', item: 0 });
        return;
      case 'li':
        this.#openItem();
        return;
      case 'table':
        this.#flush();
        this.#tables.push({ row: this.#row, rows: this.#rows });
        this.#row = undefined;
        this.#rows = 0;
        return;
      case 'tr':
        this.#closeRow();
        this.#row = [];
        return;
      case 'td':
      case 'th':
        this.#closeCell();
        return;
      default:
        if (BLOCKS.has(name)) this.#flush();
    }
  }

  close(name: string): void {
    if (this.#dropped > 0) {
      if (!VOID.has(name)) this.#dropped--;
      return;
    }
    switch (name) {
      case 'pre':
        this.#closeCode();
        return;
      case 'ul':
      case 'ol':
        this.#flush();
        this.#lists.pop();
        if (this.#lists.length === 0) this.#tight = false;
        return;
      case 'td':
      case 'th':
        this.#closeCell();
        return;
      case 'tr':
        this.#closeRow();
        return;
      case 'table': {
        this.#closeRow();
        const outer = this.#tables.pop();
        this.#row = outer?.row;
        this.#rows = outer?.rows ?? 0;
        this.#tight = false;
        return;
      }
      default:
        if (BLOCKS.has(name) || name === 'li' || name === 'blockquote' || /^h[1-6]$/.test(name)) this.#flush();
    }
  }

  append(text: string): void {
    if (this.#dropped > 0) return;
    this.#line += this.#code > 0 ? text : text.replace(/[\t\n\f\r ]+/g, ' ');
  }

  /** Ends all that is open. */
  endPage(): void {
    this.#dropped = 0;
    while (this.#row) this.close('table');
    this.#tables.length = 0;
    if (this.#code > 0) {
      this.#code = 1;
      this.#closeCode();
    }
    this.#flush();
    this.#lists.length = 0;
    this.#tight = false;
  }

  text(): string {
    return this.#out.join('');
  }

  #openItem(): void {
    this.#flush();
    const list = this.#lists.at(-1);
    const indent = '  '.repeat(Math.min(MAX_LIST_INDENT, Math.max(0, this.#lists.length - 1)));
    this.#prefix = list?.ordered ? `${indent}${++list.item}. ` : `${indent}- `;
  }

  /** Ends a block. Inside a table a block is part of its cell. */
  #flush(): void {
    if (this.#code > 0) return;
    if (this.#row) {
      this.#line += ' ';
      return;
    }
    const text = this.#line.replace(/ {2,}/g, ' ').trim();
    const prefix = this.#prefix;
    this.#line = '';
    if (text === '') return;
    this.#prefix = '';
    const item = /^ *(?:-|\d+\.) $/.test(prefix);
    // A mark that the page's author meant as text must not turn its paragraph into another block.
    const safe = prefix === '' ? text.replace(LEADING_MARK, '\\$1') : text;
    this.#write(prefix + safe, item && this.#tight);
    this.#tight = item;
  }

  #write(block: string, tight: boolean): void {
    if (this.#out.length > 0) this.#out.push(tight ? '\n' : '\n\n');
    this.#out.push(block);
  }

  #closeCode(): void {
    if (this.#code > 1) {
      this.#code--;
      return;
    }
    this.#code = 0;
    const code = this.#line.replace(/^\n+|\s+$/g, '');
    this.#line = '';
    if (code === '') return;
    if (this.#row) {
      this.#line = code;
      return;
    }
    let fence = 3;
    for (const [run] of code.matchAll(/`{3,}/g)) fence = Math.max(fence, run.length + 1);
    const marks = '`'.repeat(fence);
    this.#prefix = '';
    this.#write(`${marks}\n${code}\n${marks}`, false);
    this.#tight = false;
  }

  #closeCell(): void {
    const text = this.#line.replace(/\s+/g, ' ').trim();
    this.#line = '';
    if (this.#row && text !== '') this.#row.push(text.replace(/\|/g, '\\|'));
  }

  #closeRow(): void {
    const row = this.#row;
    if (!row) return;
    this.#closeCell();
    this.#row = undefined;
    if (row.length === 0) return;
    this.#write(`| ${row.join(' | ')} |`, this.#rows > 0);
    if (this.#rows === 0) this.#write(`|${' --- |'.repeat(row.length)}`, true);
    this.#rows++;
  }
}

const VOID = new Set('area base br col embed hr img input link meta param source track wbr'.split(' '));
