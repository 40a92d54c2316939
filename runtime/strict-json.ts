import type { RequestFault } from './errors.ts';

/** What a strict parse gave: the value, or the first thing that is wrong and where. */
export type StrictJson =
  { readonly kind: 'value'; readonly value: unknown } | { readonly kind: 'fault'; readonly fault: RequestFault };

/** Deeper nesting than this is an attack or a mistake, not a request; recursion stays far from the stack's end. */
export const MAX_JSON_DEPTH = 64;

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const SPACE = /[ \t\n\r]*/y;
// oxlint-disable-next-line no-control-regex -- RFC 8259 forbids them inside strings
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const NUMBER = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y;
const ESCAPED: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};

class JsonFault extends Error {
  readonly fault: RequestFault;
  constructor(pointer: string, detail: string) {
    super(detail);
    this.fault = { pointer, detail };
  }
}

/**
 * Reads JSON from untrusted bytes: RFC 8259 to the letter, valid UTF-8 without a byte order mark, no name twice in one object, no
 * `__proto__` or `constructor.prototype`, at most MAX_JSON_DEPTH levels, no number beyond a double. Integers that a double
 * cannot hold exactly come back as bigint, so that none is ever rounded. Faults name a JSON pointer and never a value.
 */
export function parseStrictJson(bytes: Uint8Array): StrictJson {
  let text: string;
  try {
    text = UTF8.decode(bytes);
  } catch {
    return { kind: 'fault', fault: { pointer: '', detail: 'is not valid UTF-8' } };
  }
  try {
    return { kind: 'value', value: new StrictReader(text).document() };
  } catch (error) {
    if (error instanceof JsonFault) return { kind: 'fault', fault: error.fault };
    throw error;
  }
}

class StrictReader {
  private readonly text: string;
  private at = 0;
  private readonly path: (string | number)[] = [];

  constructor(text: string) {
    this.text = text;
  }

  document(): unknown {
    this.skipSpace();
    const value = this.value();
    this.skipSpace();
    if (this.at < this.text.length) this.fail('has something after the end of the JSON value');
    return value;
  }

  private value(): unknown {
    switch (this.text[this.at] ?? '') {
      case '{':
        return this.object();
      case '[':
        return this.array();
      case '"':
        return this.string();
      case 't':
        return this.word('true', true);
      case 'f':
        return this.word('false', false);
      case 'n':
        return this.word('null', null);
      default:
        return this.number();
    }
  }

  private object(): unknown {
    const object: Record<string, unknown> = {};
    const names = new Set<string>();
    this.enter();
    if (!this.closes('}')) {
      do {
        this.skipSpace();
        if (this.text[this.at] !== '"') this.fail('has a member without a quoted name');
        const name = this.string();
        this.path.push(name);
        if (this.reachesPrototype(name)) this.fail('has a name that is not allowed');
        if (names.has(name)) this.fail('occurs twice');
        names.add(name);
        this.expect(':');
        this.skipSpace();
        object[name] = this.value();
        this.path.pop();
      } while (this.continues('}'));
    }
    return object;
  }

  /** Names through which a careless merge would reach the prototype of every object (S33). */
  private reachesPrototype(name: string): boolean {
    return name === '__proto__' || (name === 'prototype' && this.path.at(-2) === 'constructor');
  }

  private array(): unknown {
    const array: unknown[] = [];
    this.enter();
    if (!this.closes(']')) {
      do {
        this.skipSpace();
        this.path.push(array.length);
        array.push(this.value());
        this.path.pop();
      } while (this.continues(']'));
    }
    return array;
  }

  private string(): string {
    this.at++;
    let out = '';
    for (;;) {
      out += this.match(PLAIN);
      const char = this.text[this.at];
      if (char === '"') {
        this.at++;
        return out;
      }
      if (char !== '\\') this.fail(char === undefined ? 'ends inside a string' : 'has a control character in a string');
      out += this.escape();
    }
  }

  private escape(): string {
    const letter = this.text[this.at + 1] ?? '';
    if (letter === 'u') {
      const digits = this.text.slice(this.at + 2, this.at + 6);
      if (!/^[0-9a-fA-F]{4}$/.test(digits)) this.fail('has a malformed escape in a string');
      this.at += 6;
      return String.fromCharCode(Number.parseInt(digits, 16));
    }
    const char = ESCAPED[letter];
    if (char === undefined) this.fail('has a malformed escape in a string');
    this.at += 2;
    return char;
  }

  private number(): number | bigint {
    NUMBER.lastIndex = this.at;
    const match = NUMBER.exec(this.text);
    if (!match) this.fail(this.at >= this.text.length ? 'ends too early' : 'is not valid JSON');
    this.at = NUMBER.lastIndex;
    const value = Number(match[0]);
    if (!Number.isFinite(value)) this.fail('is a number beyond the range of a double');
    const isInteger = match[1] === undefined && match[2] === undefined;
    return isInteger && !Number.isSafeInteger(value) ? BigInt(match[0]) : value;
  }

  private word<T>(word: string, value: T): T {
    if (!this.text.startsWith(word, this.at)) this.fail('is not valid JSON');
    this.at += word.length;
    return value;
  }

  private enter(): void {
    if (this.path.length >= MAX_JSON_DEPTH) this.fail(`is nested deeper than ${MAX_JSON_DEPTH} levels`);
    this.at++;
  }

  private closes(end: string): boolean {
    this.skipSpace();
    if (this.text[this.at] !== end) return false;
    this.at++;
    return true;
  }

  private continues(end: string): boolean {
    if (this.closes(end)) return false;
    this.expect(',');
    return true;
  }

  private expect(char: string): void {
    this.skipSpace();
    if (this.text[this.at] !== char) this.fail(this.at >= this.text.length ? 'ends too early' : 'is not valid JSON');
    this.at++;
  }

  private skipSpace(): void {
    this.match(SPACE);
  }

  private match(pattern: RegExp): string {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text)?.[0] ?? '';
    this.at += found.length;
    return found;
  }

  private fail(detail: string): never {
    throw new JsonFault(jsonPointer(this.path), detail);
  }
}

/** RFC 6901. Names are cut to 100 characters: a pointer tells a place, it does not repeat a payload. */
export function jsonPointer(path: readonly (string | number)[]): string {
  return path.map((part) => `/${String(part).slice(0, 100).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}
