import { UNAVAILABLE, type ColumnValue } from '../../schemas/envelope.ts';
import type { TupleColumn } from './pgoutput.ts';

/** What of a column's type decides its value in an envelope. Domains count as the type they are made of. */
export type ColumnType =
  | { readonly kind: 'text' | 'integer' | 'boolean' }
  | { readonly kind: 'array'; readonly delimiter: string; readonly element: ColumnType };

export const TEXT: ColumnType = { kind: 'text' };

/**
 * The value of a column: numbers for integers that a double holds exactly, booleans, arrays (nested as in the database), null, else
 * text as PostgreSQL prints it. An unchanged TOASTed value becomes the placeholder, whatever its type: no array of it.
 */
export function columnValue(column: TupleColumn, type: ColumnType): ColumnValue {
  switch (column.kind) {
    case 'null':
      return null;
    case 'unchanged':
      return UNAVAILABLE;
    case 'text':
      return textValue(column.text, type);
  }
}

function textValue(text: string, type: ColumnType): ColumnValue {
  switch (type.kind) {
    case 'text':
      return text;
    case 'boolean':
      return text === 't' || text === 'true';
    case 'integer': {
      const value = Number(text);
      return Number.isSafeInteger(value) ? value : text;
    }
    case 'array':
      return arrayValue(text, type);
  }
}

/**
 * Reads PostgreSQL's array literal: `{a,"b \"c\"",NULL,{nested}}`, with or without bounds before it. What is no array literal
 * stays text.
 */
function arrayValue(literal: string, type: Extract<ColumnType, { kind: 'array' }>): ColumnValue {
  const start = literal.startsWith('[') ? literal.indexOf('=') + 1 : 0;
  if (literal[start] !== '{') return literal;
  // A stack instead of recursion: the depth is the database's, not ours.
  const stack: ColumnValue[][] = [];
  let at = start;
  for (;;) {
    const char = literal[at];
    if (char === undefined) return literal;
    if (char === '{') {
      stack.push([]);
      at++;
    } else if (char === '}') {
      const done = stack.pop() ?? [];
      const parent = stack.at(-1);
      if (!parent) return done;
      parent.push(done);
      at++;
    } else if (char === type.delimiter) {
      at++;
    } else {
      const element = char === '"' ? quotedElement(literal, at) : plainElement(literal, at, type.delimiter);
      const value = element.isNull ? null : textValue(element.text, type.element);
      stack.at(-1)?.push(value);
      at = element.next;
    }
  }
}

interface Element {
  readonly text: string;
  readonly isNull: boolean;
  readonly next: number;
}

function quotedElement(literal: string, open: number): Element {
  let text = '';
  let at = open + 1;
  let from = at;
  while (at < literal.length && literal[at] !== '"') {
    if (literal[at] === '\\') {
      text += literal.slice(from, at);
      from = at + 1;
      at++;
    }
    at++;
  }
  return { text: text + literal.slice(from, at), isNull: false, next: at + 1 };
}

function plainElement(literal: string, start: number, delimiter: string): Element {
  let at = start;
  while (at < literal.length && literal[at] !== delimiter && literal[at] !== '}') at++;
  const text = literal.slice(start, at);
  return { text, isNull: text === 'NULL', next: at };
}
