import pg from 'pg';
import type { AppendRecord } from '../../ports/log/log.ts';
import { SourceMisconfigured } from '../../runtime/errors.ts';
import { formatLsn, parseLsn, ZERO_LSN, type Lsn } from '../../schemas/lsn.ts';
import { sourceVersion } from '../../schemas/version.ts';
import type { CapturedTable } from './catalog.ts';
import { snapshotRecord, type ChangeOrigin, type TupleLayout } from './envelope.ts';
import { removeBelowRecords, watermarkRecords } from './markers.ts';
import { classifyPgError, quoteIdent, quoteLiteral, type PgSession } from './pg-connection.ts';
import type { Tuple, TupleColumn } from './pgoutput.ts';
import { DEFAULT_MAX_IN_FLIGHT_BYTES, DEFAULT_SNAPSHOT_BATCH_ROWS, type SourceContext } from './source-context.ts';
import { currentEpoch, type SnapshotProgress } from './source-state.ts';

/*
 * Why a snapshot and the stream after it end in the content of the tables, also when the snapshot is read in several goes:
 *
 * The slot keeps every transaction that commits after its consistent point L. Rows are appended with version `epoch | 0`, streamed
 * changes with `epoch | lsn`, so whatever is streamed wins over whatever was read, in whichever order they meet (B11).
 *
 * In one go, all rows are read as of L: row state at L, then all changes after L. After a crash the exported snapshot is gone, and
 * the rest is read as of a later L'. Take any row:
 * - not changed after L: it looks the same at L and at L'.
 * - changed or deleted after L: its last change is streamed and wins over what was read, be that of L or of L'.
 * - inserted after L: it is streamed; that a read may have come first does no harm.
 * - whose key changed: to us these are two rows, one deleted and one inserted.
 * Hence it does not matter at which time a row was read. Between the second read and the end of the catch-up a document may show a
 * content that was committed (I5) and is then overwritten by the changes that led to it; versions only grow (I3). No watermark is
 * written before the end of the catch-up's transactions, so no reader is told more than it gets (I11).
 *
 * Rows that vanished while nothing was streamed were read under an older epoch: the range tombstone at the end removes everything
 * below `epoch | 0`, once all partitions of the table have passed it (B12).
 */

/** A batch of rows is appended when it reaches this many bytes, if not its number of rows before. */
const APPEND_BYTES = 4_194_304;

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
  const layout = await tableLayout(context, sql, table, signal);
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

/** The captured columns in a fixed order, with their types by the catalog. */
async function tableLayout(
  { types, clock }: SourceContext,
  sql: PgSession,
  table: CapturedTable,
  signal: AbortSignal,
): Promise<TupleLayout> {
  const rows = await sql.query(
    'SELECT attname, atttypid FROM pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped ORDER BY attnum',
    [table.oid],
    signal,
  );
  const oids = new Map(rows.map((row) => [row['attname'] ?? '', Number(row['atttypid'])]));
  await types.learn([...oids.values()], sql, clock, signal);
  const columns = [...table.columns].map((name) => ({ name, type: types.get(oids.get(name) ?? 0) }));
  return { table, columns };
}

interface PageQuery {
  readonly text: string;
  readonly values: readonly string[];
}

/** Rows after a key, in key order. The key goes as text and is cast by the server, so that any type that prints and reads back works. */
function pageQuery(
  table: CapturedTable,
  layout: TupleLayout,
  after: readonly string[] | null,
  limit: number,
): PageQuery {
  const columns = layout.columns.map(({ name }) => quoteIdent(name)).join(', ');
  const key = table.key.map(({ name }) => quoteIdent(name)).join(', ');
  const bounds = table.key.map(({ sqlType }, i) => `$${i + 1}::${sqlType}`).join(', ');
  const where = after ? `WHERE (${key}) > (${bounds})` : '';
  return {
    text: `SELECT ${columns} FROM ${table.sqlName} ${where} ORDER BY ${key} LIMIT ${limit}`,
    values: after ?? [],
  };
}

/**
 * The rows of one query in batches of about 4 MiB. The socket is paused while a batch is being appended and more than
 * `maxHeldBytes` wait behind it: a page of large rows is never in memory as a whole.
 */
async function* readRows(
  sql: PgSession,
  page: PageQuery,
  maxHeldBytes: number,
  signal: AbortSignal,
): AsyncGenerator<readonly Tuple[]> {
  const batchBytes = Math.min(APPEND_BYTES, maxHeldBytes);
  let held: Tuple[] = [];
  let heldBytes = 0;
  let isDone = false;
  let failure: Error | undefined;
  let wake: () => void = () => undefined;
  const { stream } = sql.wire;
  const config = { text: page.text, values: [...page.values], rowMode: 'array' };
  const query = new pg.Query<(string | null)[]>(config);
  query.on('row', (values) => {
    held.push(values.map((text): TupleColumn => (text === null ? { kind: 'null' } : { kind: 'text', text })));
    heldBytes += values.reduce((sum, text) => sum + (text?.length ?? 0), 0);
    if (heldBytes > maxHeldBytes) stream.pause();
    if (heldBytes >= batchBytes) wake();
  });
  query.on('error', (error: Error) => {
    failure = error;
    wake();
  });
  query.on('end', () => {
    isDone = true;
    wake();
  });
  const stop = (): void => wake();
  signal.addEventListener('abort', stop);
  try {
    sql.client.query(query);
    while (!isDone || held.length > 0) {
      signal.throwIfAborted();
      if (failure) throw classifyPgError(failure, 'snapshot');
      if (isDone || heldBytes >= batchBytes) {
        const batch = held;
        held = [];
        heldBytes = 0;
        stream.resume();
        if (batch.length > 0) yield batch;
      } else await new Promise<void>((done) => (wake = done));
    }
  } finally {
    signal.removeEventListener('abort', stop);
    stream.resume();
  }
}

/** The state's snapshot part when nothing has been read. */
export const NOTHING_READ: SnapshotProgress = { done: [], current: null, lastKey: null, rows: 0 };
