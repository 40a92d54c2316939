import type { ColumnValue, Row } from '../../schemas/envelope.ts';
import { parseExact } from './exact-json.ts';
import { timestampText } from './postgres-text.ts';

type Json = Readonly<Record<string, unknown>>;

/**
 * A MongoDB document, which Debezium writes as one text of Extended JSON, as a row of its top-level fields: ids and decimals as text,
 * times as PostgreSQL prints them, what is nested as JSON.
 * @throws SyntaxError when it is no JSON
 */
export function documentRow(text: string): Row {
  const document = parseExact(text);
  if (typeof document !== 'object' || document === null) throw new SyntaxError('The document is no object.');
  return Object.fromEntries(Object.entries(document).map(([name, value]) => [name, fieldValue(value)]));
}

/** A value of Extended JSON, relaxed or canonical. */
export function fieldValue(value: unknown): ColumnValue {
  if (value === null || value === undefined) return null;
  if (Array.isArray(value)) return value.map(fieldValue);
  if (typeof value === 'object') return typed(value as Json);
  return value as string | number | boolean;
}

function typed(value: Json): ColumnValue {
  const [name = '', ...others] = Object.keys(value);
  const inner = value[name];
  if (others.length > 0 || !name.startsWith('$')) return JSON.stringify(value);
  switch (name) {
    case '$oid':
    case '$numberDecimal':
    case '$symbol':
    case '$uuid':
      return String(inner);
    case '$numberInt':
    case '$numberLong': {
      const number = Number(inner);
      return Number.isSafeInteger(number) ? number : String(inner);
    }
    case '$numberDouble':
      return Number.isFinite(Number(inner)) ? Number(inner) : String(inner);
    case '$date':
      return timeValue(inner);
    default:
      return JSON.stringify(value);
  }
}

/** ms since the epoch, `{"$numberLong": "..."}` of them, or an ISO time. */
function timeValue(inner: unknown): ColumnValue {
  if (typeof inner === 'string') return timestampText(inner, true);
  const ms = Number(typeof inner === 'object' && inner !== null ? (inner as Json)['$numberLong'] : inner);
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? String(ms) : timestampText(date.toISOString(), true);
}
