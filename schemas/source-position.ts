import { parseLsn } from './lsn.ts';
import { POSITION_BITS } from './version.ts';

/** Where a change stands in its source's own log, as that source counts. */
export type SourcePosition =
  | { readonly kind: 'lsn'; readonly lsn: bigint }
  /** MySQL and MariaDB: number of the binlog file, byte offset of the event in it, and the row's place in the event. */
  | { readonly kind: 'binlog'; readonly file: number; readonly offset: bigint; readonly row: number }
  /** MongoDB's cluster time: seconds since the epoch and the place within the second. */
  | { readonly kind: 'cluster-time'; readonly seconds: number; readonly increment: number };

/*
 * 55 bits of a binlog position. Every event of rows has 37 bytes and more (header, table, checksum, one row), so that two of them never
 * start in the same 32 bytes, and 27 bits tell the events of a file of 4 GiB apart. An event is closed at 8 KiB
 * (binlog_row_event_max_size), which 12 bits of rows hold. A file number of 16 bits lasts 64 TiB at the usual size of a file.
 */
const BINLOG_OFFSET_LIMIT = 1n << 32n;
const BINLOG_QUANTUM_BITS = 5n;
const BINLOG_ROW_BITS = 12n;
const BINLOG_EVENT_BITS = 27n;
const BINLOG_FILE_BITS = POSITION_BITS - BINLOG_EVENT_BITS - BINLOG_ROW_BITS;

/** 55 bits of a cluster time: 31 of seconds since 2020, which last until 2088, and 24 of operations in one second. */
const CLUSTER_TIME_EPOCH_S = 1_577_836_800;
const INCREMENT_BITS = 24n;

/**
 * The position as the 55 bits below the epoch of a version. Grows with the source's own order, and differs for any two changes that
 * a source can make to one row, also for those of one statement.
 * @throws RangeError naming the part that does not fit and what to do; a version that wraps around would bring old content back.
 */
export function positionBits(position: SourcePosition): bigint {
  switch (position.kind) {
    case 'lsn':
      return bounded(position.lsn, POSITION_BITS, 'The LSN', 'rebuild the source under a new name');
    case 'binlog': {
      const { file, offset, row } = position;
      if (offset < 0n || offset >= BINLOG_OFFSET_LIMIT)
        throw new RangeError(`The binlog offset ${offset} is beyond 4 GiB; make transactions smaller.`);
      return (
        (bounded(BigInt(file), BINLOG_FILE_BITS, 'The binlog file number', 'RESET BINARY LOGS and resync the source') <<
          (BINLOG_EVENT_BITS + BINLOG_ROW_BITS)) |
        ((offset >> BINLOG_QUANTUM_BITS) << BINLOG_ROW_BITS) |
        bounded(BigInt(row), BINLOG_ROW_BITS, 'The row of a binlog event', 'set binlog_row_event_max_size to 8192')
      );
    }
    case 'cluster-time': {
      const seconds = BigInt(position.seconds - CLUSTER_TIME_EPOCH_S);
      return (
        (bounded(
          seconds,
          POSITION_BITS - INCREMENT_BITS,
          'The cluster time',
          'check the clock of the MongoDB server',
        ) <<
          INCREMENT_BITS) |
        bounded(BigInt(position.increment), INCREMENT_BITS, 'The increment of a cluster time', 'write less per second')
      );
    }
  }
}

function bounded(value: bigint, bits: bigint, what: string, remedy: string): bigint {
  if (value < 0n || value >> bits !== 0n)
    throw new RangeError(`${what} ${value} does not fit ${bits} bits; ${remedy}.`);
  return value;
}

const BINLOG_FILE = /^.*\.(\d{1,10})$/;
const BINLOG_POSITION = /^(.+\.\d{1,10}):(\d{1,10})$/;
const CLUSTER_TIME = /^(\d{1,10}):(\d{1,10})$/;
const LOW_BITS = 32n;

/** The number at the end of a binlog file's name (`mariadb-bin.000012` is 12); undefined when it has none. */
export function binlogFileNumber(name: string): number | undefined {
  const digits = BINLOG_FILE.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** A position of MySQL or MariaDB as watermarks state it: a decimal that grows with file and offset. */
export function binlogPositionText(file: number, offset: bigint): string {
  return ((BigInt(file) << LOW_BITS) | offset).toString();
}

/** A position of MongoDB as watermarks state it: a decimal that grows with the cluster time. */
export function clusterTimeText(seconds: number, increment: number): string {
  return ((BigInt(seconds) << LOW_BITS) | BigInt(increment)).toString();
}

/**
 * The number behind a position, by which positions of one source are ordered: an LSN (`16/B374D848`), a decimal, a binlog position as
 * `SHOW BINARY LOG STATUS` prints it (`mariadb-bin.000012:4711`) or a cluster time (`1767225600:3`). Undefined for anything else.
 */
export function positionOrder(text: string): bigint | undefined {
  const lsn = parseLsn(text);
  if (lsn !== undefined) return lsn;
  if (/^\d{1,40}$/.test(text)) return BigInt(text);
  const [, name, offset] = BINLOG_POSITION.exec(text) ?? [];
  const file = name === undefined ? undefined : binlogFileNumber(name);
  if (file !== undefined && offset !== undefined) return (BigInt(file) << LOW_BITS) | BigInt(offset);
  const [, seconds, increment] = CLUSTER_TIME.exec(text) ?? [];
  return seconds === undefined || increment === undefined
    ? undefined
    : (BigInt(seconds) << LOW_BITS) | BigInt(increment);
}
