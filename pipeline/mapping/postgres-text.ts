/*
 * How PostgreSQL prints values (datestyle ISO, intervalstyle postgres, time zone UTC) that Kafka Connect carries in another form. Ids
 * and texts must not depend on the way a row has come.
 */

/** Decimal exponents outside of which float4 and float8 print in scientific notation; above, it begins at the number of digits. */
const FIXED_FROM_EXPONENT = -4;
const FLOAT4_DIGITS = 6;
const FLOAT8_DIGITS = 15;

/** A float as float8 (or float4) prints it: shortest digits, `1e+20` from a width on that depends on the type. */
export function floatText(value: number, type: 'float' | 'double'): string {
  if (Object.is(value, -0)) return '-0';
  if (value === 0 || !Number.isFinite(value)) return String(value);
  const [mantissa = '', exponentText = '0'] = value.toExponential().split('e');
  const exponent = Number(exponentText);
  if (exponent >= FIXED_FROM_EXPONENT && exponent < (type === 'float' ? FLOAT4_DIGITS : FLOAT8_DIGITS))
    return fixedText(value, exponent);
  return `${mantissa}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
}

function fixedText(value: number, exponent: number): string {
  const text = String(value);
  if (!text.includes('e')) return text;
  return value.toFixed(Math.max(0, significantDigits(value) - exponent - 1));
}

function significantDigits(value: number): number {
  return value.toExponential().replace(/e.*/, '').replace(/[-.]/g, '').length;
}

/** `12.340000` without the zeros that carry nothing. */
function trimFraction(fraction: string | undefined): string {
  const digits = (fraction ?? '').replace(/0+$/, '');
  return digits === '' ? '' : `.${digits}`;
}

const ISO_TIMESTAMP =
  /^([+-]?\d{4,})-(\d\d-\d\d)(?:T(\d\d:\d\d)(?::(\d\d)(?:\.(\d+))?)?)?(Z|[+-]\d\d(?::\d\d){0,2})?(?:\[.*\])?$/;

/**
 * How Debezium writes the infinities of date and timestamp: the ends of Java's ranges, and in the stream of a date what is left of
 * them after an overflow.
 */
const INFINITIES: Readonly<Record<string, string>> = {
  '+292278994-08-16Z': 'infinity',
  '-5877611-06-21Z': 'infinity',
  '+292269055-12-02Z': '-infinity',
  '-5877611-06-22Z': '-infinity',
};
const FIRST_YEAR = -290_000;
const LAST_YEAR = 290_000;

/**
 * An ISO 8601 date or time stamp as PostgreSQL prints it: blank for `T`, no `Z`, years before 1 as BC.
 * @param zoned prints `+00` behind it, as timestamptz does in UTC
 */
export function timestampText(iso: string, zoned: boolean): string {
  if (iso in INFINITIES) return INFINITIES[iso] ?? iso;
  const [, yearText, day, minutes, seconds = '00', fraction] = ISO_TIMESTAMP.exec(iso) ?? [];
  if (yearText === undefined || day === undefined) return iso; // `infinity`, or not ours to judge
  const year = Number(yearText);
  if (year < FIRST_YEAR) return '-infinity';
  if (year > LAST_YEAR) return 'infinity';
  const isBc = year < 1;
  const date = `${String(isBc ? 1 - year : year).padStart(4, '0')}-${day}`;
  const time = minutes === undefined ? '' : ` ${minutes}:${seconds}${trimFraction(fraction)}`;
  return `${date}${time}${zoned && time !== '' ? '+00' : ''}${isBc ? ' BC' : ''}`;
}

/** `12:34:56.500Z` as `time` prints it, or with `+00` as `timetz` does. */
export function timeText(iso: string, zoned: boolean): string {
  const [, minutes, seconds = '00', fraction] =
    /^(\d\d:\d\d)(?::(\d\d)(?:\.(\d+))?)?(?:Z|[+-]\d\d:\d\d)?$/.exec(iso) ?? [];
  return minutes === undefined ? iso : `${minutes}:${seconds}${trimFraction(fraction)}${zoned ? '+00' : ''}`;
}

const ISO_INTERVAL =
  /^P(?:(-?\d+)Y)?(?:(-?\d+)M)?(?:(-?\d+)D)?(?:T(?:(-?\d+)H)?(?:(-?\d+)M)?(?:(-?\d+)(?:\.(\d+))?S)?)?$/;

/** `P1Y2M-3DT4H5M6.789S` as interval prints it: `1 year 2 mons -3 days +04:05:06.789`. */
export function intervalText(iso: string): string {
  const match = ISO_INTERVAL.exec(iso);
  if (!match) return iso;
  const [, years, months, days, hours = '0', minutes = '0', seconds = '0', fraction] = match;
  const units = [
    [Number(years ?? 0), 'year'],
    [Number(months ?? 0), 'mon'],
    [Number(days ?? 0), 'day'],
  ] as const;
  let out = '';
  let isAfterNegative = false;
  for (const [count, unit] of units) {
    if (count === 0) continue;
    out += `${out === '' ? '' : ' '}${isAfterNegative && count > 0 ? '+' : ''}${count} ${unit}${count === 1 ? '' : 's'}`;
    isAfterNegative = count < 0;
  }
  const isNegative = [hours, minutes, seconds].some((part) => part.startsWith('-'));
  const [h = '0', m = '0', s = '0'] = [hours, minutes, seconds].map((part) => part.replace('-', ''));
  const clock = `${h.padStart(2, '0')}:${m.padStart(2, '0')}:${s.padStart(2, '0')}${trimFraction(fraction)}`;
  if (clock === '00:00:00') return out === '' ? clock : out;
  return `${out === '' ? '' : `${out} `}${isNegative ? '-' : isAfterNegative ? '+' : ''}${clock}`;
}

/** Debezium's words for what a numeric can be besides a number. */
const SPECIAL_NUMERICS: Readonly<Record<string, string>> = {
  NAN: 'NaN',
  POSITIVE_INFINITY: 'Infinity',
  NEGATIVE_INFINITY: '-Infinity',
};

export function numericText(text: string): string {
  return SPECIAL_NUMERICS[text] ?? text;
}

/** An unscaled number with the digits behind the point that its column has. */
export function decimalText(unscaled: bigint, scale: number): string {
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, '0');
  const whole = digits.slice(0, digits.length - scale);
  return `${unscaled < 0n ? '-' : ''}${whole}${scale > 0 ? `.${digits.slice(-scale)}` : ''}`;
}

/** `-1234.50` as money prints it under lc_monetary C or en_US: `-$1,234.50`. */
export function moneyText(text: string): string {
  const [, sign = '', whole = '', fraction = ''] = /^(-?)(\d+)(\.\d+)?$/.exec(text) ?? [];
  return whole === '' ? text : `${sign}$${whole.replace(/\B(?=(\d{3})+$)/g, ',')}${fraction}`;
}

/** Little-endian bytes as a bit string of `length` bits, highest first. */
export function bitsText(bytes: Uint8Array, length: number): string {
  const bits = [...bytes].toReversed().map((byte) => byte.toString(2).padStart(8, '0'));
  return bits.join('').padStart(length, '0').slice(-length);
}

/** Pairs as hstore prints them: ordered by length of the key, then by its bytes. */
export function hstoreText(pairs: Readonly<Record<string, string | null>>): string {
  const quoted = (text: string): string => `"${text.replace(/(["\\])/g, '\\$1')}"`;
  return Object.entries(pairs)
    .map(([key, value]) => ({
      key: Buffer.from(key),
      text: `${quoted(key)}=>${value === null ? 'NULL' : quoted(value)}`,
    }))
    .toSorted((a, b) => a.key.length - b.key.length || a.key.compare(b.key))
    .map(({ text }) => text)
    .join(', ');
}

/** The text of a geometric value with its numbers as float8 prints them: Java writes `(1.0,2.0)`. */
export function geometricText(text: string): string {
  return text.replace(/-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g, (number) => floatText(Number(number), 'double'));
}
