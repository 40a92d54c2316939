import type { AppendRecord } from '../../ports/log/log.ts';
import type { Clock } from '../../runtime/clock.ts';
import { formatLsn, ZERO_LSN, type Lsn } from '../../schemas/lsn.ts';
import { ColumnTypes } from '../postgres/catalog.ts';
import { keyOf, snapshotRecord, type ChangeOrigin, type TupleLayout } from '../postgres/envelope.ts';
import { PgSession, quoteIdent, quoteLiteral } from '../postgres/pg-connection.ts';
import type { Tuple } from '../postgres/pgoutput.ts';
import { readRows, tupleLayout } from '../postgres/read-rows.ts';
import { createSlot } from '../postgres/snapshot.ts';
import { tableName } from '../captured-tables.ts';
import { connectPartition } from './connect-partition.ts';
import type { DebeziumSourceConfig } from './debezium-source.ts';
import type { CapturedTable } from './postgres-catalog.ts';
import type { RowsRead, SnapshotRows } from './source-database.ts';

/** Bytes of rows that wait in memory while others are appended. */
const MAX_HELD_BYTES = 16_777_216;

/**
 * The rows of a PostgreSQL database as they are at the very place where its new slot begins, so that each of them and all changes of it
 * fit together. Disposing ends the snapshot; there is no way to go on with one.
 */
export class ExportedRows implements SnapshotRows {
  readonly consistentPoint: Lsn;
  readonly #config: DebeziumSourceConfig;
  readonly #tables: readonly CapturedTable[];
  readonly #clock: Clock;
  /** Keeps the exported snapshot alive, as long as it stays idle and open. */
  readonly #replication: PgSession;
  readonly #snapshotName: string;

  private constructor(
    config: DebeziumSourceConfig,
    tables: readonly CapturedTable[],
    clock: Clock,
    replication: PgSession,
    slot: { readonly consistentPoint: Lsn; readonly snapshotName: string },
  ) {
    this.#config = config;
    this.#tables = tables;
    this.#clock = clock;
    this.#replication = replication;
    this.#snapshotName = slot.snapshotName;
    this.consistentPoint = slot.consistentPoint;
  }

  /**
   * Makes the slot, which must not exist. Waits for every transaction that is open now.
   * @throws SourceUnavailable, SourceMisconfigured
   */
  static async begin(
    config: DebeziumSourceConfig,
    slot: string,
    tables: readonly CapturedTable[],
    clock: Clock,
    signal: AbortSignal,
  ): Promise<ExportedRows> {
    const replication = await PgSession.open(config.connection, { source: config.name, replication: true }, signal);
    try {
      return new ExportedRows(config, tables, clock, replication, await createSlot(replication, slot, signal));
    } catch (error) {
      await replication[Symbol.asyncDispose]();
      throw error;
    }
  }

  async *read(
    { epoch, position, committedAt, partitions }: RowsRead,
    signal: AbortSignal,
  ): AsyncGenerator<AppendRecord[]> {
    const origin: ChangeOrigin = {
      name: this.#config.name,
      lsn: formatLsn(ZERO_LSN),
      commitLsn: position,
      ts_ms: committedAt,
      snapshot: 'true',
      epoch,
    };
    await using sql = await PgSession.open(this.#config.connection, { source: this.#config.name }, signal);
    await sql.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY', [], signal);
    await sql.query(`SET TRANSACTION SNAPSHOT ${quoteLiteral(this.#snapshotName)}`, [], signal);
    const types = new ColumnTypes();
    for (const table of this.#tables) {
      const columns = new Set(Object.keys(table.layout.columns));
      const key = table.layout.key.map((name) => ({ name }));
      const tuples = await tupleLayout(
        { types, clock: this.#clock },
        sql,
        { oid: table.oid, ...tableName(table.layout), columns, key },
        signal,
      );
      const list = tuples.columns.map(({ name }) => quoteIdent(name)).join(', ');
      const query = { text: `SELECT ${list} FROM ${table.rowsName}`, values: [] };
      for await (const rows of readRows(sql, query, MAX_HELD_BYTES, signal))
        yield rows.map((row) => ({
          ...snapshotRecord(tuples, row, origin, this.#clock.now()),
          ...partitionOf(table, tuples, row, partitions),
        }));
    }
    await sql.query('COMMIT', [], signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#replication[Symbol.asyncDispose]();
  }
}

/** Where Debezium puts changes of the row: they must find it there, to take from it what they leave out. */
function partitionOf(
  { layout }: CapturedTable,
  tuples: TupleLayout,
  row: Tuple,
  partitions: number,
): { readonly partition?: number } {
  const partition = connectPartition(layout, keyOf(tuples, row), partitions);
  return partition === undefined ? {} : { partition };
}
