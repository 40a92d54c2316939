import type { MetadataValue } from '../../schemas/document.ts';

/** A metadata value as filters compare it. */
export interface FilterValue {
  readonly text: string;
  readonly number: number | null;
  /** ms since the epoch, for texts in the forms of ISO 8601 and PostgreSQL. */
  readonly timeMs: number | null;
}

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;
const TIME = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2})(?::(\d{2}(?:\.\d{1,9})?))?\s?(Z|[+-]\d{2}(?::?\d{2})?)?)?$/;

/** Milliseconds since the epoch; a time without a zone is UTC. Undefined when the text is not a time. */
export function parseTime(text: string): number | undefined {
  const match = TIME.exec(text);
  if (!match) return undefined;
  const [, date, minutes = '00:00', seconds = '0', zone = 'Z'] = match;
  const startMs = Date.parse(`${date}T${minutes}:00Z`);
  if (Number.isNaN(startMs)) return undefined;
  return startMs + Number(seconds) * 1000 - zoneOffsetMs(zone);
}

function zoneOffsetMs(zone: string): number {
  if (zone === 'Z') return 0;
  const hours = Number(zone.slice(1, 3));
  const minutes = Number(zone.slice(3).replace(':', '') || '0');
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes) * 60_000;
}

/** A text as filters compare it. A NUL is no part of a name or value: SQLite's binding would cut the text there. */
export function comparable(text: string): string {
  return text.includes('\0') ? text.replaceAll('\0', '\ufffd') : text;
}

/** A value in the three forms that filters compare: as text, as a number, as a time. */
export function filterValue(value: string | number | boolean): FilterValue {
  if (typeof value === 'number') return { text: String(value), number: value, timeMs: null };
  if (typeof value === 'boolean') return { text: String(value), number: null, timeMs: null };
  const number = value.length <= 64 && NUMBER.test(value) ? Number(value) : null;
  return { text: comparable(value), number, timeMs: value.length <= 64 ? (parseTime(value) ?? null) : null };
}

/** Every value of a field: an array matches when one of its elements does; null matches nothing. */
export function filterValues(value: MetadataValue): readonly FilterValue[] {
  if (value === null) return [];
  return (typeof value === 'object' ? value : [value]).map(filterValue);
}
