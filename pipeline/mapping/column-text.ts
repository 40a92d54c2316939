import type { MetadataValue } from '../../schemas/document.ts';
import type { ColumnValue } from '../../schemas/envelope.ts';

/** A column's value as PostgreSQL prints it; NULL is the empty text. */
export function columnText(value: ColumnValue): string {
  if (value === null) return '';
  if (typeof value === 'string') return wellFormed(value);
  if (typeof value === 'boolean') return value ? 't' : 'f';
  if (typeof value === 'number') return String(value);
  return arrayText(value);
}

function arrayText(values: readonly ColumnValue[]): string {
  return `{${values.map((value) => (Array.isArray(value) ? arrayText(value) : value === null ? 'NULL' : quoted(columnText(value)))).join(',')}}`;
}

function quoted(text: string): string {
  const needsQuotes = text === '' || /[{}",\\\s]/.test(text) || text.toUpperCase() === 'NULL';
  return needsQuotes ? `"${text.replace(/(["\\])/g, '\\$1')}"` : text;
}

/** A column's value as metadata: scalars stay what they are, arrays become texts. */
export function columnMetadata(value: ColumnValue): MetadataValue {
  if (Array.isArray(value)) return value.map((element: ColumnValue) => columnText(element));
  return typeof value === 'string' ? wellFormed(value) : (value as number | boolean | null);
}

/**
 * Replaces what UTF-8 and SQLite cannot carry, lone surrogates and NUL, with U+FFFD, so that what is hashed, stored and cited is
 * the same text everywhere.
 */
export function wellFormed(text: string): string {
  return text.replace(/\p{Cs}/gu, '\ufffd').replaceAll('\0', '\ufffd');
}
