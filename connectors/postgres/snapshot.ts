import type { AppendRecord } from '../../ports/log/log.ts';
import { SourceMisconfigured } from '../../runtime/errors.ts';
import { formatLsn, parseLsn, ZERO_LSN, type Lsn } from '../../schemas/lsn.ts';
import { sourceVersion } from '../../schemas/version.ts';
import type { CapturedTable } from './catalog.ts';
import { snapshotRecord, type ChangeOrigin, type TupleLayout } from './envelope.ts';
import { removeBelowRecords, watermarkRecords } from './markers.ts';
import { quoteIdent, quoteLiteral, type PgSession } from './pg-connection.ts';
import type { Tuple } from './pgoutput.ts';
import { readRows, tupleLayout, type RowQuery } from './read-rows.ts';
import { DEFAULT_MAX_IN_FLIGHT_BYTES, DEFAULT_SNAPSHOT_BATCH_ROWS, type SourceContext } from './source-context.ts';
import { currentEpoch, type Resumed, type SnapshotProgress } from './source-state.ts';

/*
 * Why a snapshot and the stream after it end in the content of the tables, also when the snapshot is read in several goes:
 *
 * The slot keeps every transaction that commits after its consistent point L. Rows are appended with version `epoch | 0`, streamed
 * changes with `epoch | lsn`, so whatever is streamed wins over whatever was read, in whichever order they meet (B11).
 *
 * In one go, all rows are read as of L: row state at L, then all changes after L. After a crash the exported snapshot is gone, and
 * the rest is read as of a later L'. The changes between L and L' that such a row shows come again in the stream. They must not be
 * taken on top of it: one that leaves a long text out would take the text of L', and the document would be one that never was. So the
 * row says which transactions it shows, the stream marks those that may be among them, and whoever decodes drops them, for that row.
 * - A row that was gone by L' is known by the changes that the stream brings; one of them that leaves its text out says nothing new.
 * - A TRUNCATE between the two removes rows of L' with those of L. What follows it in the stream brings them back, and is not marked.
 * - Left: a row that was read at L' under an id above the last one read at L has had, in between, one below it, and a long text that
 *   the change of its key leaves out. It is not known any more, and becomes a dead letter.
 * No watermark is written before the end of the catch-up's transactions, so no reader is told more than it gets (I11).
 *
 * Rows that vanished while nothing was streamed were read under an older epoch: the range tombstone at the end removes everything
 * below `epoch | 0`, once all partitions of the table have passed it (B12).
 */

/** The slot that a snapshot begins with. */
export interface NewSlot {
  readonly consistentPoint: Lsn;
  /** Name of the exported snapshot: alive while the replication session that made it stays idle and open. */
  readonly snapshotName: string;
}

/** Creates the slot and exports the snapshot that fits it. Waits for transactions that are open now. */
export async function createSlot(replication: PgSession, slot: string, signal: AbortSignal): Promise<NewSlot> {
  const command = `CREATE_REPLICATION_SLOT ${quoteIdent(slot)} LOGICAL pgoutput EXPORT_SNAPSHOT`;
  const [row] = await replication.query(command, [], signal);
  const consistentPoint = parseLsn(row?.['consistent_point'] ?? '');
  const snapshotName = row?.['snapshot_name'];
  if (consistentPoint === undefined || !snapshotName)
    throw new SourceMisconfigured('The server created a replication slot without an exported snapshot.');
  return { consistentPoint, snapshotName };
}

/**
 * Reads the tables that are not done yet, from the last durable key on, and ends the snapshot with range tombstones and a first
 * watermark. Progress is durable with every batch.
 * @param sql a session of its own: it holds one transaction open.
 * @param exported the snapshot of a slot that was just made; absent when an interrupted snapshot goes on.
 */
export async function readSnapshot(
  context: SourceContext,
  sql: PgSession,
  exported: string | undefined,
  signal: AbortSignal,
): Promise<void> {
  const { progress, tables, logger, config } = context;
  await sql.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY', [], signal);
  if (exported) await sql.query(`SET TRANSACTION SNAPSHOT ${quoteLiteral(exported)}`, [], signal);
  else await progress.append([], { resumed: await resume(sql, tables, signal) }, signal);
  for (const table of tables) {
    const name = `${table.schema}.${table.table}`;
    const before = progress.state.snapshot;
    if (!before || before.done.includes(name)) continue;
    await readTable(context, sql, table, signal);
    const after = progress.state.snapshot ?? before;
    await progress.append(
      [],
      { snapshot: { done: [...after.done, name], current: null, lastKey: null, rows: after.rows } },
      signal,
    );
  }
  await sql.query('COMMIT', [], signal);
  logger.info('The snapshot is complete.', { source: config.name, rows: progress.state.snapshot?.rows });
  await progress.append(endRecords(context), { snapshot: null }, signal);
}

/** What the rows from here on show. The order of the two functions matters: what the first one sees has committed before the second. */
async function resume(sql: PgSession, tables: readonly CapturedTable[], signal: AbortSignal): Promise<Resumed> {
  const [seen] = await sql.query('SELECT pg_current_snapshot() AS snapshot', [], signal);
  const [place] = await sql.query('SELECT pg_current_wal_insert_lsn() AS lsn', [], signal);
  return {
    pgSnapshot: seen?.['snapshot'] ?? '',
    upTo: place?.['lsn'] ?? '',
    tables: tables.map(({ schema, table }) => `${schema}.${table}`),
  };
}

function endRecords({ progress, lanes, tables }: SourceContext): AppendRecord[] {
  const { state } = progress;
  const epoch = currentEpoch(state);
  const position = { lsn: parseLsn(state.position) ?? ZERO_LSN, committedAt: state.committedAt };
  const version = sourceVersion(epoch, ZERO_LSN);
  return [
    ...tables.flatMap((table) => removeBelowRecords(lanes, table, { version, reason: 'snapshot', position })),
    ...watermarkRecords(lanes, position, epoch),
  ];
}

async function readTable(
  context: SourceContext,
  sql: PgSession,
  table: CapturedTable,
  signal: AbortSignal,
): Promise<void> {
  const { progress, config, clock, metrics } = context;
  const name = `${table.schema}.${table.table}`;
  const rowsPerRead = config.snapshotBatchRows ?? DEFAULT_SNAPSHOT_BATCH_ROWS;
  const layout = await tupleLayout(context, sql, table, signal);
  for (;;) {
    const { snapshot, ...state } = progress.state;
    const resumed = snapshot?.current === name ? snapshot : undefined;
    const origin: ChangeOrigin = {
      name: config.name,
      lsn: formatLsn(ZERO_LSN),
      commitLsn: state.position,
      ts_ms: state.committedAt,
      snapshot: 'true',
      epoch: currentEpoch(progress.state),
      ...(progress.state.resumed && { pgSnapshot: progress.state.resumed.pgSnapshot }),
    };
    let rows = 0;
    const page = pageQuery(table, layout, resumed?.lastKey ?? null, rowsPerRead);
    for await (const batch of readRows(sql, page, config.maxInFlightBytes ?? DEFAULT_MAX_IN_FLIGHT_BYTES, signal)) {
      rows += batch.length;
      const records = batch.map((row) => snapshotRecord(layout, row, origin, clock.now()));
      await progress.append(records, { snapshot: afterRows(context, name, layout, batch) }, signal);
      metrics.sourceChanges.inc({ source: config.name, op: 'r' }, batch.length);
    }
    if (rows < rowsPerRead) return;
  }

  function afterRows(
    { progress: { state } }: SourceContext,
    current: string,
    { columns }: TupleLayout,
    batch: readonly Tuple[],
  ): SnapshotProgress {
    const last = batch.at(-1) ?? [];
    const lastKey = table.key.map((key) => {
      const column = last[columns.findIndex((one) => one.name === key.name)];
      return column?.kind === 'text' ? column.text : '';
    });
    const before = state.snapshot ?? { done: [], rows: 0 };
    return { done: before.done, current, lastKey, rows: before.rows + batch.length };
  }
}

/** Rows after a key, in key order. The key goes as text and is cast by the server, so that any type that prints and reads back works. */
function pageQuery(
  table: CapturedTable,
  layout: TupleLayout,
  after: readonly string[] | null,
  limit: number,
): RowQuery {
  const columns = layout.columns.map(({ name }) => quoteIdent(name)).join(', ');
  const key = table.key.map(({ name }) => quoteIdent(name)).join(', ');
  const bounds = table.key.map(({ sqlType }, i) => `$${i + 1}::${sqlType}`).join(', ');
  const where = after ? `WHERE (${key}) > (${bounds})` : '';
  return {
    text: `SELECT ${columns} FROM ${table.sqlName} ${where} ORDER BY ${key} LIMIT ${limit}`,
    values: after ?? [],
  };
}

/** The state's snapshot part when nothing has been read. */
export const NOTHING_READ: SnapshotProgress = { done: [], current: null, lastKey: null, rows: 0 };
