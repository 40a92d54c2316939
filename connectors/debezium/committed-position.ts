import { formatLsn, type Lsn } from '../../schemas/lsn.ts';
import { binlogFileNumber, binlogPositionText, clusterTimeText } from '../../schemas/source-position.ts';
import type { ConnectorOffset } from './connect-client.ts';
import type { DebeziumDatabase } from './debezium-source.ts';
import type { SourcePlace } from './markers.ts';

/*
 * Why an offset that Kafka Connect has committed is a safe watermark. Connect keeps the records of one source partition in the order in
 * which the connector made them and commits the offset of the last one before which none is unacknowledged (SubmittedRecords in its
 * runtime). Debezium has one source partition per database, makes records in the order of commits, and puts into each record's offset
 * the last transaction that it had seen the end of. So all transactions up to there are acknowledged by Kafka, in all partitions.
 *
 * PostgreSQL: `lsn_commit`, the end of the last whole transaction. `lsn` and `lsn_proc` are places inside of one that is still coming.
 * MySQL and MariaDB: `file` and `pos`, from where a restart would read: the begin of a transaction that is still coming, or the end of
 * the last one.
 * MongoDB: `sec` and `ord` of the last event. Events of one transaction share it, so that only what is before it is known to be whole.
 */

/** The position up to which everything is in the log; undefined when the offset does not tell, as while a snapshot is read. */
export function committedPlace(database: DebeziumDatabase, offset: ConnectorOffset): SourcePlace | undefined {
  if (isSnapshotOffset(offset)) return undefined;
  switch (database) {
    case 'postgres': {
      const lsn = offset['lsn_commit'];
      if (typeof lsn !== 'number') return undefined;
      return { position: formatLsn(BigInt(lsn) as Lsn), committedAt: millis(offset['ts_usec'], 1_000) };
    }
    case 'mysql':
    case 'mariadb': {
      const file = typeof offset['file'] === 'string' ? binlogFileNumber(offset['file']) : undefined;
      const at = offset['pos'];
      if (file === undefined || typeof at !== 'number') return undefined;
      return { position: binlogPositionText(file, BigInt(at)), committedAt: millis(offset['ts_sec'], 0.001) };
    }
    case 'mongodb': {
      const { sec, ord } = offset as { readonly sec?: unknown; readonly ord?: unknown };
      if (typeof sec !== 'number' || typeof ord !== 'number') return undefined;
      const [seconds, increment] = ord > 0 ? [sec, ord - 1] : [sec - 1, 0xffff_ffff];
      return { position: clusterTimeText(seconds, increment), committedAt: sec * 1_000 };
    }
  }
}

/** Whether all rows have been read and acknowledged. While they are read an offset is marked as a snapshot's, or says no place at all. */
export function isSnapshotOver(offset: ConnectorOffset): boolean {
  return !isWithoutPlace(offset) && !isSnapshotOffset(offset);
}

/**
 * Debezium's notification that a snapshot starts has an empty offset, unless there was one before. A task that starts again and finds
 * it fails, or takes the snapshot for one that has ended.
 */
export function isWithoutPlace(offset: ConnectorOffset): boolean {
  return Object.keys(offset).length === 0;
}

function isSnapshotOffset(offset: ConnectorOffset): boolean {
  const mark = offset['snapshot'] ?? offset['initsync'];
  return mark !== undefined && mark !== false && mark !== 'false';
}

function millis(value: unknown, perMs: number): number {
  return typeof value === 'number' ? Math.floor(value / perMs) : 0;
}
