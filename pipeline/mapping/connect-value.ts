import { UNAVAILABLE, type ColumnValue } from '../../schemas/envelope.ts';
import type { ConnectType } from '../../schemas/table-layout.ts';
import {
  bitsText,
  decimalText,
  floatText,
  geometricText,
  hstoreText,
  intervalText,
  moneyText,
  numericText,
  timestampText,
  timeText,
} from './postgres-text.ts';

/*
 * The forms in which Debezium says that a TOASTed value did not change (UnchangedToastedPlaceholder in its source): text, bytes, the
 * bytes as numbers, a UUID made of them, an hstore of it, and each of these as the only element of an array.
 */
const PLACEHOLDER = Buffer.from(UNAVAILABLE);
const PLACEHOLDER_BASE64 = PLACEHOLDER.toString('base64');
const PLACEHOLDER_HEX = PLACEHOLDER.toString('hex');
/** `UUID.nameUUIDFromBytes` of the placeholder. */
const PLACEHOLDER_UUID = 'b68a35a7-17ad-35b3-af2a-ae46edb4545a';

/** Whether a value stands for one that was left out, in whichever form its type gives it (B13). */
export function isPlaceholder(value: unknown, type?: ConnectType): boolean {
  if (typeof value === 'string') {
    if (value === UNAVAILABLE) return true;
    // Someone may write about Base64; only where bytes are expected is it the placeholder.
    if (value === PLACEHOLDER_BASE64 || value === PLACEHOLDER_HEX) return type === undefined || type.type === 'bytes';
    return value.startsWith('{') && value.replaceAll(' ', '') === `{"${UNAVAILABLE}":"${UNAVAILABLE}"}`;
  }
  if (value instanceof Uint8Array) return PLACEHOLDER.equals(value);
  if (!Array.isArray(value)) return isObject(value) && value[UNAVAILABLE] === UNAVAILABLE;
  if (value.length === 1) return value[0] === PLACEHOLDER_UUID || isPlaceholder(value[0], type?.items);
  return value.length === PLACEHOLDER.length && value.every((byte, at) => Number(byte) === PLACEHOLDER[at]);
}

/**
 * A value of Kafka Connect as a column's value: numbers for integers that a double holds exactly, booleans, arrays, null, else text as
 * PostgreSQL prints it. Whatever stands for an unchanged TOASTed value becomes the placeholder.
 * @param type absent: the value is taken as it is, objects as JSON
 */
export function columnValue(value: unknown, type: ConnectType | undefined): ColumnValue {
  if (value === null || value === undefined) return null;
  if (isPlaceholder(value, type)) return UNAVAILABLE;
  switch (type?.type) {
    case undefined:
      return untyped(value);
    case 'boolean':
      return type.name === 'freshet.Bit' ? (value === true ? '1' : '0') : value === true;
    case 'int':
      return integer(value, type.name);
    case 'float':
    case 'double':
      return floatText(Number(value), type.type);
    case 'string':
      return typeof value === 'string' ? text(value, type.name) : untyped(value);
    case 'bytes':
      return bytes(value, type);
    case 'array':
      return array(value, type);
    case 'struct':
      return struct(value, type.name);
    case 'map':
      return isObject(value) ? hstoreText(value as Record<string, string | null>) : untyped(value);
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}

function untyped(value: unknown): ColumnValue {
  if (Array.isArray(value)) return value.map((element: unknown) => (element === null ? null : untyped(element)));
  if (typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value : floatText(value, 'double');
  if (typeof value === 'bigint') return integer(value, undefined);
  if (value instanceof Uint8Array) return hex(value);
  return JSON.stringify(value);
}

const DAY_MS = 86_400_000;

/** Units of Debezium's and Connect's counted times: how many make a second. */
const PER_SECOND: Readonly<Record<string, bigint>> = {
  'io.debezium.time.Timestamp': 1_000n,
  'io.debezium.time.MicroTimestamp': 1_000_000n,
  'io.debezium.time.NanoTimestamp': 1_000_000_000n,
  'io.debezium.time.Time': 1_000n,
  'io.debezium.time.MicroTime': 1_000_000n,
  'io.debezium.time.NanoTime': 1_000_000_000n,
  'org.apache.kafka.connect.data.Timestamp': 1_000n,
  'org.apache.kafka.connect.data.Time': 1_000n,
};

function integer(value: unknown, name: string | undefined): ColumnValue {
  const exact = typeof value === 'number' ? value : typeof value === 'bigint' ? value : BigInt(String(value));
  if (name === 'io.debezium.time.Date' || name === 'org.apache.kafka.connect.data.Date')
    return timestampText(new Date(Number(exact) * DAY_MS).toISOString().slice(0, -14), false);
  const perSecond = name === undefined ? undefined : PER_SECOND[name];
  if (perSecond !== undefined) return counted(BigInt(exact), perSecond, name?.includes('Timestamp') ?? false);
  const number = Number(exact);
  return name !== 'freshet.Text' && Number.isSafeInteger(number) ? number : exact.toString();
}

function counted(count: bigint, perSecond: bigint, isTimestamp: boolean): string {
  const seconds = count / perSecond - (count % perSecond < 0n ? 1n : 0n);
  const rest = (count - seconds * perSecond)
    .toString()
    .padStart(perSecond.toString().length - 1, '0')
    .slice(0, 6);
  const iso = new Date(Number(seconds) * 1_000).toISOString().slice(0, -5);
  return isTimestamp
    ? timestampText(`${iso}.${rest}Z`, false)
    : timeText(`${iso.slice(iso.indexOf('T') + 1)}.${rest}`, false);
}

function text(value: string, name: string | undefined): string {
  switch (name) {
    case 'io.debezium.time.IsoDate':
    case 'io.debezium.time.IsoTimestamp':
      return timestampText(value, false);
    case 'io.debezium.time.ZonedTimestamp':
      return timestampText(value, true);
    case 'io.debezium.time.IsoTime':
      return timeText(value, false);
    case 'io.debezium.time.ZonedTime':
      return timeText(value, true);
    case 'io.debezium.time.Interval':
      return intervalText(value);
    case 'freshet.Numeric':
      return numericText(value);
    case 'freshet.Money':
      return moneyText(value);
    case 'freshet.Hstore':
      return hstoreText(JSON.parse(value) as Record<string, string | null>);
    case undefined:
    default:
      return value;
  }
}

function bytes(value: unknown, type: ConnectType): string {
  const raw = value instanceof Uint8Array ? value : Buffer.from(String(value), 'base64');
  switch (type.name) {
    case 'io.debezium.data.Bits':
      return bitsText(raw, type.length ?? raw.length * 8);
    case 'org.apache.kafka.connect.data.Decimal':
      return decimalText(signed(raw), type.length ?? 0);
    case 'freshet.Opaque':
      return Buffer.from(raw).toString('utf8');
    case 'freshet.Geometric':
      return geometricText(Buffer.from(raw).toString('utf8'));
    case undefined:
    default:
      return hex(raw);
  }
}

function hex(raw: Uint8Array): string {
  return `\\x${Buffer.from(raw).toString('hex')}`;
}

/** Big-endian two's complement. */
function signed(raw: Uint8Array): bigint {
  return raw.length === 0 ? 0n : BigInt.asIntN(raw.length * 8, BigInt(`0x${Buffer.from(raw).toString('hex')}`));
}

function array(value: unknown, { items, name }: ConnectType): ColumnValue {
  if (!Array.isArray(value)) return untyped(value);
  if (name === 'io.debezium.data.DoubleVector' || name === 'io.debezium.data.FloatVector')
    return `[${value.map((element) => floatText(Number(element), 'float')).join(',')}]`;
  return value.map((element: unknown) => columnValue(element, items));
}

function struct(value: unknown, name: string | undefined): ColumnValue {
  if (!isObject(value)) return untyped(value);
  if (name === 'io.debezium.data.geometry.Point')
    return `(${floatText(Number(value['x']), 'double')},${floatText(Number(value['y']), 'double')})`;
  if (name === 'io.debezium.data.VariableScaleDecimal') {
    const unscaled = value['value'];
    const raw = unscaled instanceof Uint8Array ? unscaled : Buffer.from(String(unscaled), 'base64');
    return decimalText(signed(raw), Number(value['scale']));
  }
  return untyped(value);
}
