import pg from 'pg';
import type { CapturedTable } from './catalog.ts';
import type { TupleLayout, TupleTable } from './envelope.ts';
import { classifyPgError, type PgSession } from './pg-connection.ts';
import type { Tuple, TupleColumn } from './pgoutput.ts';
import type { SourceContext } from './source-context.ts';

/** A batch of rows ends when it reaches this many bytes. */
const BATCH_BYTES = 4_194_304;

/** The captured columns in a fixed order, with their types by the catalog. */
export async function tupleLayout(
  { types, clock }: Pick<SourceContext, 'types' | 'clock'>,
  sql: PgSession,
  table: TupleTable & Pick<CapturedTable, 'oid'>,
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

/** A query for rows, whose parameters are texts that the server casts. */
export interface RowQuery {
  readonly text: string;
  readonly values: readonly string[];
}

/**
 * The rows of one query in batches of about 4 MiB. The socket is paused while a batch is being appended and more than
 * `maxHeldBytes` wait behind it: a page of large rows is never in memory as a whole.
 */
export async function* readRows(
  sql: PgSession,
  query: RowQuery,
  maxHeldBytes: number,
  signal: AbortSignal,
): AsyncGenerator<readonly Tuple[]> {
  const batchBytes = Math.min(BATCH_BYTES, maxHeldBytes);
  let held: Tuple[] = [];
  let heldBytes = 0;
  let isDone = false;
  let failure: Error | undefined;
  let wake: () => void = () => undefined;
  const { stream } = sql.wire;
  const config = { text: query.text, values: [...query.values], rowMode: 'array' };
  const running = new pg.Query<(string | null)[]>(config);
  running.on('row', (values) => {
    held.push(values.map((text): TupleColumn => (text === null ? { kind: 'null' } : { kind: 'text', text })));
    heldBytes += values.reduce((sum, text) => sum + (text?.length ?? 0), 0);
    if (heldBytes > maxHeldBytes) stream.pause();
    if (heldBytes >= batchBytes) wake();
  });
  running.on('error', (error: Error) => {
    failure = error;
    wake();
  });
  running.on('end', () => {
    isDone = true;
    wake();
  });
  const stop = (): void => wake();
  signal.addEventListener('abort', stop);
  try {
    sql.client.query(running);
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
