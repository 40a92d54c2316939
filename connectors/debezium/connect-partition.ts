import type { ConnectType, TableLayout } from '../../schemas/table-layout.ts';

/*
 * Rows that we read ourselves must stand in the partition into which Debezium's changes of them go: Kafka's default partitioner over the
 * key as JsonConverter writes it, with the properties of connector-config.ts.
 */

/**
 * The partition of a row whose key columns have these texts, as PostgreSQL prints them; undefined for a key with a column whose form in
 * Debezium we cannot tell.
 */
export function connectPartition(
  { key, columns }: TableLayout,
  texts: readonly string[],
  partitions: number,
): number | undefined {
  const values = key.map((column, i) => connectJson(columns[column], texts[i] ?? ''));
  if (values.includes(undefined)) return undefined;
  const json = `{${key.map((column, i) => `${jsonText(column)}:${values[i]}`).join(',')}}`;
  // Kafka's own way to a positive number; the absolute value would not do.
  return (murmur2(Buffer.from(json)) & 0x7fff_ffff) % partitions;
}

/** A value as it stands in a key; undefined when that is not known. */
function connectJson(type: ConnectType | undefined, text: string): string | undefined {
  switch (type?.type) {
    case 'int':
      return text;
    case 'boolean':
      return String(text === 't' || text === '1');
    case 'bytes':
      return type.name === undefined ? jsonText(Buffer.from(text.slice(2), 'hex').toString('base64')) : undefined;
    case 'string':
      return jsonTextOf(type, text);
    case 'float':
    case 'double':
    case 'array':
    case 'struct':
    case 'map':
    case undefined:
      return undefined;
  }
}

function jsonTextOf({ name, length }: ConnectType, text: string): string | undefined {
  switch (name) {
    case undefined:
    case 'freshet.Numeric':
      return jsonText(text);
    case 'io.debezium.time.IsoDate':
    case 'io.debezium.time.IsoTime':
      return jsonText(`${text}Z`);
    case 'io.debezium.time.IsoTimestamp':
      return jsonText(`${text.replace(' ', 'T')}Z`);
    case 'io.debezium.time.ZonedTimestamp':
      return jsonText(zonedText(text, length ?? 0));
    default:
      return undefined;
  }
}

/** `2026-01-31 12:34:56.5+00` as `2026-01-31T12:34:56.500000Z`, with as many digits as the column has. */
function zonedText(text: string, digits: number): string {
  const [, day, seconds, fraction = ''] = /^(\S+) ([\d:]+)(?:\.(\d+))?/.exec(text) ?? [];
  if (day === undefined) return text; // infinity
  return `${day}T${seconds}${digits > 0 ? `.${fraction.padEnd(digits, '0')}` : ''}Z`;
}

/** JSON as Jackson writes bytes of it: what lies outside of the Basic Multilingual Plane is escaped, in capitals. */
function jsonText(text: string): string {
  const escape = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).toUpperCase()}`;
  return JSON.stringify(text)
    .replace(/\\u[0-9a-f]{4}/g, (escaped) => `\\u${escaped.slice(2).toUpperCase()}`)
    .replace(/[\ud800-\udfff]/g, escape);
}

const SEED = 0x9747_b28c;
const M = 0x5bd1_e995;

/** Austin Appleby's MurmurHash2 with the seed of Kafka's clients, as 32 bits with a sign. */
function murmur2(data: Uint8Array): number {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const whole = data.length & ~3;
  let hash = SEED ^ data.length;
  for (let at = 0; at < whole; at += 4) {
    let word = Math.imul(view.getInt32(at, true), M);
    word = Math.imul(word ^ (word >>> 24), M);
    hash = Math.imul(hash, M) ^ word;
  }
  for (let at = data.length - 1; at >= whole; at--) hash ^= view.getUint8(at) << (8 * (at - whole));
  if (whole < data.length) hash = Math.imul(hash, M);
  hash = Math.imul(hash ^ (hash >>> 13), M);
  return hash ^ (hash >>> 15);
}
