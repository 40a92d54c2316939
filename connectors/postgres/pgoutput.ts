import { RecordUnreadable } from '../../runtime/errors.ts';
import type { Lsn } from '../../schemas/lsn.ts';

/**
 * A column of a tuple: text as PostgreSQL prints it, SQL NULL, or `unchanged`: a TOASTed value that the update did not touch and
 * that the server therefore leaves out.
 */
export type TupleColumn =
  { readonly kind: 'text'; readonly text: string } | { readonly kind: 'null' } | { readonly kind: 'unchanged' };
export type Tuple = readonly TupleColumn[];

export interface RelationColumn {
  readonly name: string;
  readonly typeOid: number;
  readonly typeModifier: number;
  /** Part of the replica identity. */
  readonly isKey: boolean;
}

export interface Begin {
  readonly kind: 'begin';
  /** Start of the commit record. The end is known only with `Commit`. */
  readonly finalLsn: Lsn;
  /** ms since the epoch */
  readonly committedAt: number;
  readonly xid: number;
}
export interface Commit {
  readonly kind: 'commit';
  readonly commitLsn: Lsn;
  /** End of the commit record: `pg_current_wal_insert_lsn()` after the commit is at or above it. */
  readonly endLsn: Lsn;
  readonly committedAt: number;
}
export interface Relation {
  readonly kind: 'relation';
  readonly oid: number;
  readonly schema: string;
  readonly table: string;
  readonly replicaIdentity: 'default' | 'nothing' | 'full' | 'index';
  readonly columns: readonly RelationColumn[];
}
export interface Insert {
  readonly kind: 'insert';
  readonly oid: number;
  readonly after: Tuple;
}
/** `before` comes with a changed key (identity columns only, `old: 'key'`) or with REPLICA IDENTITY FULL (`old: 'row'`). */
export interface Update {
  readonly kind: 'update';
  readonly oid: number;
  readonly old: 'key' | 'row' | undefined;
  readonly before: Tuple | undefined;
  readonly after: Tuple;
}
export interface Delete {
  readonly kind: 'delete';
  readonly oid: number;
  readonly old: 'key' | 'row';
  readonly before: Tuple;
}
export interface Truncate {
  readonly kind: 'truncate';
  readonly oids: readonly number[];
  readonly cascade: boolean;
  readonly restartIdentity: boolean;
}
export interface Origin {
  readonly kind: 'origin';
  readonly lsn: Lsn;
  readonly name: string;
}
export interface TypeName {
  readonly kind: 'type';
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
}
export interface LogicalMessage {
  readonly kind: 'message';
  readonly transactional: boolean;
  readonly lsn: Lsn;
  readonly prefix: string;
  readonly content: Buffer;
}

export type PgOutputMessage =
  Begin | Commit | Relation | Insert | Update | Delete | Truncate | Origin | TypeName | LogicalMessage;

/** PostgreSQL counts microseconds from 2000-01-01. */
const POSTGRES_EPOCH_MS = 946_684_800_000n;
const REPLICA_IDENTITY = { d: 'default', n: 'nothing', f: 'full', i: 'index' } as const;

/** Reads network byte order with every length checked, so that a cut message is an error and never a short value. */
class MessageReader {
  private offset = 0;
  private readonly buffer: Buffer;

  constructor(buffer: Buffer) {
    this.buffer = buffer;
  }

  private advance(bytes: number): number {
    const at = this.offset;
    if (bytes < 0 || at + bytes > this.buffer.length) throw unreadable(`ends early, at byte ${this.buffer.length}`);
    this.offset += bytes;
    return at;
  }

  char = (): string => String.fromCharCode(this.buffer.readUInt8(this.advance(1)));
  int8 = (): number => this.buffer.readUInt8(this.advance(1));
  int16 = (): number => this.buffer.readInt16BE(this.advance(2));
  int32 = (): number => this.buffer.readInt32BE(this.advance(4));
  uint32 = (): number => this.buffer.readUInt32BE(this.advance(4));
  lsn = (): Lsn => this.buffer.readBigUInt64BE(this.advance(8)) as Lsn;
  timestampMs = (): number => postgresTimeMs(this.buffer.readBigInt64BE(this.advance(8)));
  text = (bytes: number): string => {
    const at = this.advance(bytes);
    return this.buffer.toString('utf8', at, at + bytes);
  };
  bytes = (bytes: number): Buffer => {
    const at = this.advance(bytes);
    return Buffer.from(this.buffer.subarray(at, at + bytes));
  };

  cstring(): string {
    const end = this.buffer.indexOf(0, this.offset);
    if (end < 0) throw unreadable('holds a text without an end');
    const text = this.buffer.toString('utf8', this.offset, end);
    this.offset = end + 1;
    return text;
  }

  end(): void {
    if (this.offset !== this.buffer.length) throw unreadable(`is ${this.buffer.length - this.offset} bytes too long`);
  }
}

/** PostgreSQL's microseconds since 2000 as ms since 1970. */
export function postgresTimeMs(microseconds: bigint): number {
  return Number(microseconds / 1000n + POSTGRES_EPOCH_MS);
}

function unreadable(what: string): RecordUnreadable {
  return new RecordUnreadable(`A message of the replication protocol ${what}.`);
}

/**
 * Decodes one pgoutput message (protocol versions 1 and 2, without streaming of open transactions). Copies what it keeps: the
 * buffer may be reused afterwards.
 * @throws RecordUnreadable when the bytes are not exactly one message.
 */
export function decodePgOutput(buffer: Buffer): PgOutputMessage {
  const reader = new MessageReader(buffer);
  const message = decodeBody(reader.char(), reader);
  reader.end();
  return message;
}

function decodeBody(tag: string, reader: MessageReader): PgOutputMessage {
  switch (tag) {
    case 'B':
      return { kind: 'begin', finalLsn: reader.lsn(), committedAt: reader.timestampMs(), xid: reader.uint32() };
    case 'C':
      reader.int8(); // flags, unused
      return { kind: 'commit', commitLsn: reader.lsn(), endLsn: reader.lsn(), committedAt: reader.timestampMs() };
    case 'O':
      return { kind: 'origin', lsn: reader.lsn(), name: reader.cstring() };
    case 'R':
      return decodeRelation(reader);
    case 'Y':
      return { kind: 'type', oid: reader.uint32(), schema: reader.cstring(), name: reader.cstring() };
    case 'I':
      return { kind: 'insert', oid: reader.uint32(), after: decodeNewTuple(reader, reader.char()) };
    case 'U':
      return decodeUpdate(reader);
    case 'D':
      return decodeDelete(reader);
    case 'T':
      return decodeTruncate(reader);
    case 'M':
      return decodeMessage(reader);
    default:
      throw unreadable(`has the unknown type ${JSON.stringify(tag)}`);
  }
}

function decodeRelation(reader: MessageReader): Relation {
  const oid = reader.uint32();
  const schema = reader.cstring() || 'pg_catalog';
  const table = reader.cstring();
  const identity = reader.char();
  if (!isReplicaIdentity(identity)) throw unreadable(`has the unknown replica identity ${JSON.stringify(identity)}`);
  const columns = repeat(reader.int16(), () => ({
    isKey: (reader.int8() & 1) === 1,
    name: reader.cstring(),
    typeOid: reader.uint32(),
    typeModifier: reader.int32(),
  }));
  return { kind: 'relation', oid, schema, table, replicaIdentity: REPLICA_IDENTITY[identity], columns };
}

function isReplicaIdentity(text: string): text is keyof typeof REPLICA_IDENTITY {
  return Object.hasOwn(REPLICA_IDENTITY, text);
}

function decodeUpdate(reader: MessageReader): Update {
  const oid = reader.uint32();
  const tag = reader.char();
  if (tag !== 'K' && tag !== 'O')
    return { kind: 'update', oid, old: undefined, before: undefined, after: decodeNewTuple(reader, tag) };
  const before = decodeTuple(reader);
  return {
    kind: 'update',
    oid,
    old: tag === 'K' ? 'key' : 'row',
    before,
    after: decodeNewTuple(reader, reader.char()),
  };
}

function decodeDelete(reader: MessageReader): Delete {
  const oid = reader.uint32();
  const tag = reader.char();
  if (tag !== 'K' && tag !== 'O') throw unreadable('is a delete without an old tuple');
  return { kind: 'delete', oid, old: tag === 'K' ? 'key' : 'row', before: decodeTuple(reader) };
}

function decodeTruncate(reader: MessageReader): Truncate {
  const count = reader.int32();
  const options = reader.int8();
  const oids = repeat(count, reader.uint32);
  return { kind: 'truncate', oids, cascade: (options & 1) === 1, restartIdentity: (options & 2) === 2 };
}

function decodeMessage(reader: MessageReader): LogicalMessage {
  const transactional = (reader.int8() & 1) === 1;
  const lsn = reader.lsn();
  const prefix = reader.cstring();
  return { kind: 'message', transactional, lsn, prefix, content: reader.bytes(reader.int32()) };
}

function decodeNewTuple(reader: MessageReader, tag: string): Tuple {
  if (tag !== 'N') throw unreadable('has no new tuple where one must be');
  return decodeTuple(reader);
}

function decodeTuple(reader: MessageReader): Tuple {
  return repeat(reader.int16(), (): TupleColumn => {
    const kind = reader.char();
    switch (kind) {
      case 't':
        return { kind: 'text', text: reader.text(reader.int32()) };
      case 'n':
        return { kind: 'null' };
      case 'u':
        return { kind: 'unchanged' };
      default:
        throw unreadable(`has a column of the unknown kind ${JSON.stringify(kind)}`);
    }
  });
}

function repeat<T>(count: number, read: () => T): T[] {
  if (count < 0) throw unreadable('has a negative count');
  const out: T[] = [];
  for (let i = 0; i < count; i++) out.push(read());
  return out;
}
