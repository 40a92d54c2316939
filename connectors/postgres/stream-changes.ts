import type { AppendRecord } from '../../ports/log/log.ts';
import { formatLsn, parseLsn, type Lsn } from '../../schemas/lsn.ts';
import { sees } from '../../schemas/pg-snapshot.ts';
import { sourceVersion } from '../../schemas/version.ts';
import { changeRecords, type ChangeOrigin, type TupleLayout, type TupleTable } from './envelope.ts';
import { removeBelowRecords, watermarkRecords, type Position } from './markers.ts';
import type { PgSession } from './pg-connection.ts';
import type { Begin, PgOutputMessage, Relation, Truncate } from './pgoutput.ts';
import type { ReplicationEvent, ReplicationStream } from './replication-stream.ts';
import { ResyncRequired } from '../resync-required.ts';
import { DEFAULT_MAX_IN_FLIGHT_BYTES, type SourceContext } from './source-context.ts';
import { currentEpoch, type Resumed, type SourceState } from './source-state.ts';

/**
 * A keepalive alone is appended at most this often: on a server that is busy with other tables it comes as fast as we answer, and
 * each costs one durable append. Changes never wait for it.
 */
const KEEPALIVE_APPEND_EVERY_MS = 20;

/**
 * How much a keepalive's time is set back. A transaction takes its commit time before its commit record is on disk, so one with an
 * earlier time may still come; no fsync that a server lives with takes longer than this.
 */
const KEEPALIVE_MARGIN_MS = 1_000;

/**
 * Pieces of an open transaction are appended at this size at the latest: it cannot be read before its commit anyway, and many small
 * appends would only slow it down.
 */
const PIECE_BYTES = 1_048_576;

/**
 * Appends changes as they come, until the signal aborts or the stream fails. One append holds everything that has arrived while the
 * last one was under way, its watermarks and the new state; the server hears of a position only after that (B01).
 */
export async function streamChanges(
  context: SourceContext,
  stream: ReplicationStream,
  { sql, proof }: { readonly sql: PgSession; readonly proof: HistoryProof | undefined },
  signal: AbortSignal,
): Promise<never> {
  const { clock, progress, metrics, config } = context;
  const pieceBytes = Math.min(PIECE_BYTES, (config.maxInFlightBytes ?? DEFAULT_MAX_IN_FLIGHT_BYTES) / 2);
  const changes = new ChangeReader(context, sql, proof);
  let batch = emptyBatch();
  let pending: Position | undefined;
  let appendedAt = Number.NEGATIVE_INFINITY;
  for (;;) {
    const dueInMs = Math.max(0, appendedAt + KEEPALIVE_APPEND_EVERY_MS - clock.monotonicMs());
    const events = await stream.next(signal, pending && dueInMs);
    await changes.read(events, batch, signal);
    pending = later(pending ?? durable(context), batch.position) ?? pending;
    const isPiece = batch.records.length > 0 && (!changes.isInTransaction || batch.bytes >= pieceBytes);
    const isDue = batch.lastCommit !== undefined || appendedAt + KEEPALIVE_APPEND_EVERY_MS <= clock.monotonicMs();
    if (isPiece || (pending && isDue)) {
      const markers = pending ? watermarkRecords(context.lanes, pending, currentEpoch(progress.state)) : [];
      const state = {
        ...(pending && { position: formatLsn(pending.lsn), committedAt: pending.committedAt }),
        ...(batch.lastCommit && { lastCommit: batch.lastCommit }),
        ...(batch.resumed && { resumed: batch.resumed }),
      };
      await progress.append([...batch.records, ...markers], state, signal);
      appendedAt = clock.monotonicMs();
      for (const [op, count] of batch.counts) metrics.sourceChanges.inc({ source: config.name, op }, count);
      if (pending) stream.acknowledge(pending.lsn);
      pending = undefined;
    } else if (batch.records.length > 0) {
      continue; // the transaction goes on; its bytes stay held
    } else if (batch.replyRequested && !pending) stream.acknowledge(durable(context).lsn);
    stream.release(batch.bytes);
    batch = emptyBatch();
  }
}

function durable({ progress }: SourceContext): Position {
  return { lsn: parseLsn(progress.state.position) ?? (0n as Lsn), committedAt: progress.state.committedAt };
}

/** The position to write next; undefined when `next` is not beyond what is written. Neither position nor time goes back. */
function later(written: Position, next: Position | undefined): Position | undefined {
  if (!next || next.lsn <= written.lsn) return undefined;
  return { lsn: next.lsn, committedAt: Math.max(written.committedAt, next.committedAt) };
}

/** A transaction that both sides must know. */
type HistoryProof = NonNullable<SourceState['lastCommit']>;

interface ChangeBatch {
  readonly records: AppendRecord[];
  readonly counts: Map<string, number>;
  bytes: number;
  /** End of the last complete transaction, or a keepalive's position outside of one. */
  position: Position | undefined;
  /** The last transaction that ended. */
  lastCommit: HistoryProof | undefined;
  /** As it is from here on, where a TRUNCATE has changed it. */
  resumed: Resumed | undefined;
  replyRequested: boolean;
}

function emptyBatch(): ChangeBatch {
  return {
    records: [],
    counts: new Map(),
    bytes: 0,
    position: undefined,
    lastCommit: undefined,
    resumed: undefined,
    replyRequested: false,
  };
}

/** Turns the server's messages into records. Remembers the open transaction and the tables' layouts between calls. */
class ChangeReader {
  private readonly context: SourceContext;
  private readonly sql: PgSession;
  private proof: HistoryProof | undefined;
  private readonly layouts = new Map<number, TupleLayout>();
  private transaction: Begin | undefined;
  private resumed: Resumed | undefined;

  constructor(context: SourceContext, sql: PgSession, proof: HistoryProof | undefined) {
    this.resumed = context.progress.state.resumed;
    this.context = context;
    this.sql = sql;
    this.proof = proof;
  }

  get isInTransaction(): boolean {
    return this.transaction !== undefined;
  }

  /** Adds what the events say to a batch. */
  async read(events: readonly ReplicationEvent[], batch: ChangeBatch, signal: AbortSignal): Promise<void> {
    for (const event of events) {
      if (event.kind === 'keepalive') {
        batch.replyRequested ||= event.replyRequested;
        const committedAt = event.sentAt - KEEPALIVE_MARGIN_MS;
        if (this.transaction) continue;
        this.checkHistory(event.walEnd);
        batch.position = furthest(batch.position, { lsn: event.walEnd, committedAt });
      } else {
        batch.bytes += event.bytes;
        if (event.message.kind === 'relation') await this.learn(event.message, signal);
        else this.readMessage(event.message, event.lsn, batch);
      }
    }
  }

  /**
   * Where our last transaction ended, the server must send just that one: another one, or none, means that it was set back and has
   * gone another way since, which its positions alone would not show.
   */
  private checkHistory(reached: Lsn, commit?: HistoryProof): void {
    if (!this.proof || reached < (parseLsn(this.proof.endLsn) ?? 0n)) return;
    if (commit?.endLsn !== this.proof.endLsn || commit.committedAt !== this.proof.committedAt)
      throw new ResyncRequired('position-went-back');
    this.proof = undefined;
  }

  private readMessage(message: Exclude<PgOutputMessage, Relation>, lsn: Lsn, batch: ChangeBatch): void {
    switch (message.kind) {
      case 'begin':
        this.transaction = message;
        return;
      case 'commit':
        this.transaction = undefined;
        batch.lastCommit = { endLsn: formatLsn(message.endLsn), committedAt: message.committedAt };
        this.checkHistory(message.endLsn, batch.lastCommit);
        batch.position = furthest(batch.position, { lsn: message.endLsn, committedAt: message.committedAt });
        return;
      case 'insert':
      case 'update':
      case 'delete': {
        const layout = this.layouts.get(message.oid);
        if (!layout) return; // a table that is in the publication but not in the config
        const origin = { ...this.origin(lsn), ...(this.mayBeRead(layout.table) && { mayBeRead: true as const }) };
        const records = changeRecords(message, layout, origin, this.context.clock.now());
        batch.records.push(...records);
        count(batch, { insert: 'c', update: 'u', delete: 'd' }[message.kind]);
        return;
      }
      case 'truncate':
        batch.records.push(...this.truncation(message, lsn));
        batch.resumed = this.forgetRows(message);
        count(batch, 't');
        return;
      case 'origin':
      case 'type':
      case 'message':
        return;
    }
  }

  /** Whether rows that were read when an interrupted snapshot went on may show the open transaction. */
  private mayBeRead({ schema, table }: TupleTable): boolean {
    const { resumed, transaction } = this;
    if (!resumed || !transaction || transaction.finalLsn >= (parseLsn(resumed.upTo) ?? 0n)) return false;
    return resumed.tables.includes(`${schema}.${table}`) && sees(resumed.pgSnapshot, transaction.xid);
  }

  /** Rows of truncated tables are removed, whatever they show: what follows has to bring them back. */
  private forgetRows({ oids }: Truncate): Resumed | undefined {
    const truncated = this.context.tables.filter(({ oid }) => oids.includes(oid));
    const names = new Set(truncated.map(({ schema, table }) => `${schema}.${table}`));
    this.resumed &&= { ...this.resumed, tables: this.resumed.tables.filter((name) => !names.has(name)) };
    return this.resumed;
  }

  private truncation(message: Truncate, lsn: Lsn): AppendRecord[] {
    const { tables, lanes, progress } = this.context;
    const version = sourceVersion(currentEpoch(progress.state), lsn);
    const position = { lsn: this.transaction?.finalLsn ?? lsn, committedAt: this.transaction?.committedAt ?? 0 };
    return tables
      .filter(({ oid }) => message.oids.includes(oid))
      .flatMap((table) => removeBelowRecords(lanes, table, { version, reason: 'truncate', position }));
  }

  /**
   * The transaction's end is known only when its last change has been sent, so `commitLsn` is the start of the commit record; the
   * watermark carries the end.
   */
  private origin(lsn: Lsn): ChangeOrigin {
    return {
      name: this.context.config.name,
      lsn: formatLsn(lsn),
      commitLsn: formatLsn(this.transaction?.finalLsn ?? lsn),
      ...(this.transaction && { txId: this.transaction.xid }),
      ts_ms: this.transaction?.committedAt ?? this.context.clock.now(),
      snapshot: 'false',
      epoch: currentEpoch(this.context.progress.state),
    };
  }

  /** Takes over how a table looks from here on. Tables go by number, so that a renamed one stays what it was. */
  private async learn(relation: Relation, signal: AbortSignal): Promise<void> {
    const { tables, types, logger, clock } = this.context;
    const table = tables.find(({ oid }) => oid === relation.oid);
    if (!table) return;
    await types.learn(
      relation.columns.map(({ typeOid }) => typeOid),
      this.sql,
      clock,
      signal,
    );
    const isIdentity = (name: string): boolean =>
      relation.columns.some((column) => column.name === name && (column.isKey || relation.replicaIdentity === 'full'));
    if (!table.key.every(({ name }) => isIdentity(name))) throw new ResyncRequired('key-changed');
    const missing = [...table.columns].filter((name) => relation.columns.every((column) => column.name !== name));
    if (relation.table !== table.table || relation.schema !== table.schema || missing.length > 0)
      logger.warn('A captured table has changed its name or lost mapped columns; the config should follow.', {
        source: this.context.config.name,
        table: `${table.schema}.${table.table}`,
        now: `${relation.schema}.${relation.table}`,
        missing: missing.join(', '),
      });
    const columns = relation.columns.map(({ name, typeOid }) => ({ name, type: types.get(typeOid) }));
    this.layouts.set(relation.oid, { table, columns });
  }
}

function furthest(a: Position | undefined, b: Position): Position {
  return a && a.lsn >= b.lsn ? a : b;
}

function count(batch: ChangeBatch, op: string): void {
  batch.counts.set(op, (batch.counts.get(op) ?? 0) + 1);
}
