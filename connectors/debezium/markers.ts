import type { AppendRecord } from '../../ports/log/log.ts';
import type { RemoveBelow, Watermark } from '../../schemas/marker.ts';
import { sourceVersion } from '../../schemas/version.ts';
import { capturedTopic } from '../captured-tables.ts';
import type { DebeziumSourceConfig } from './debezium-source.ts';

/** A position of the source and the time of its last commit, ms since the epoch. */
export interface SourcePlace {
  readonly position: string;
  readonly committedAt: number;
}

/** The paths from one source into the index: every partition of every captured table's topic. */
export interface Lanes {
  readonly config: Pick<DebeziumSourceConfig, 'name' | 'tables'>;
  /** Partitions of each topic. */
  readonly partitions: number;
}

/** One watermark per lane: whoever has read it has read every change up to the position that came through that lane. */
export function watermarkRecords(lanes: Lanes, place: SourcePlace, epoch: number): readonly AppendRecord[] {
  const source = lanes.config.name;
  const count = lanes.config.tables.length * lanes.partitions;
  return perLane(lanes, `~watermark/${source}`, (lane): Watermark => ({
    kind: 'watermark',
    source,
    lane,
    lanes: count,
    position: place.position,
    committedAt: place.committedAt,
    epoch,
  }));
}

/** Range tombstones that end a snapshot: rows that it has not read are gone. They hold once every lane of a table has passed one. */
export function endOfSnapshotRecords(lanes: Lanes, place: SourcePlace, epoch: number): readonly AppendRecord[] {
  const source = lanes.config.name;
  return perLane(lanes, `~remove-below/${source}`, (lane, table): RemoveBelow => ({
    kind: 'remove-below',
    source,
    table,
    version: sourceVersion(epoch, 0n).toString(),
    reason: 'snapshot',
    lane,
    lanes: lanes.partitions,
    position: place.position,
    committedAt: place.committedAt,
  }));
}

function perLane(
  { config, partitions }: Lanes,
  key: string,
  marker: (lane: string, table: string) => Watermark | RemoveBelow,
): readonly AppendRecord[] {
  return config.tables.flatMap((table) => {
    const topic = capturedTopic(config.name, table);
    return Array.from({ length: partitions }, (_, partition) => ({
      topic,
      key: `${key}/${table.table}`,
      partition,
      value: Buffer.from(JSON.stringify(marker(`${topic}/${partition}`, table.table))),
    }));
  });
}
