import type { AppendRecord } from '../../ports/log/log.ts';
import { formatLsn, type Lsn } from '../../schemas/lsn.ts';
import type { RemoveBelow, Watermark } from '../../schemas/marker.ts';
import { tableTopic } from '../../schemas/topics.ts';
import type { SourceVersion } from '../../schemas/version.ts';
import type { CapturedTable } from './catalog.ts';

/** A position of the source and the time of its last commit (ms since the epoch). */
export interface Position {
  readonly lsn: Lsn;
  readonly committedAt: number;
}

/** The paths from one source into the index: every partition of every captured table's topic. */
export interface Lanes {
  readonly source: string;
  readonly tables: readonly Pick<CapturedTable, 'schema' | 'table'>[];
  /** Partitions of each topic. */
  readonly partitions: number;
}

/** One watermark per lane: whoever has read it has read every change up to `position` of that lane. */
export function watermarkRecords(lanes: Lanes, position: Position, epoch: number): AppendRecord[] {
  const count = lanes.tables.length * lanes.partitions;
  return lanes.tables.flatMap((table) =>
    perPartition(lanes, table, `~watermark/${lanes.source}`, (lane): Watermark => ({
      kind: 'watermark',
      source: lanes.source,
      lane,
      lanes: count,
      position: formatLsn(position.lsn),
      committedAt: position.committedAt,
      epoch,
    })),
  );
}

/**
 * One range tombstone per partition of one table. A truncation holds at once in whichever partition is read first, since a row below
 * its version is gone in any case; the end of a snapshot holds only after all its partitions have passed, hence all its rows.
 */
export function removeBelowRecords(
  lanes: Lanes,
  table: Pick<CapturedTable, 'schema' | 'table'>,
  marker: { readonly version: SourceVersion; readonly reason: RemoveBelow['reason']; readonly position: Position },
): AppendRecord[] {
  const name = `${table.schema}.${table.table}`;
  return perPartition(lanes, table, `~remove-below/${lanes.source}/${name}`, (lane): RemoveBelow => ({
    kind: 'remove-below',
    source: lanes.source,
    table: name,
    version: marker.version.toString(),
    reason: marker.reason,
    lane,
    lanes: marker.reason === 'truncate' ? 1 : lanes.partitions,
    position: formatLsn(marker.position.lsn),
    committedAt: marker.position.committedAt,
  }));
}

function perPartition(
  lanes: Lanes,
  table: Pick<CapturedTable, 'schema' | 'table'>,
  key: string,
  marker: (lane: string) => Watermark | RemoveBelow,
): AppendRecord[] {
  const topic = tableTopic(lanes.source, table.schema, table.table);
  return Array.from({ length: lanes.partitions }, (_, partition) => ({
    topic,
    key,
    partition,
    value: Buffer.from(JSON.stringify(marker(`${topic}/${partition}`))),
  }));
}
