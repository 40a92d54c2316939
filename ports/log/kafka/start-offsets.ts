import type { Broker } from 'kafkajs';
import type { Logger } from '../../../runtime/logger.ts';
import type { Offset, PartitionPlace } from '../log.ts';
import { placeName, type AssignedPartition } from './group-member.ts';
import type { Names } from './names.ts';
import type { PartitionEnds, PartitionSource } from './partition-source.ts';

/**
 * Marks an offset that a group committed before it had read anything. Without it, retention could delete records between the first
 * look and the first commit, and nobody would know that they had been there.
 */
export const START_MARK = 'freshet:start';

/** What a start needs of its group. */
export interface StartParts {
  readonly group: string;
  readonly names: Names;
  readonly source: PartitionSource;
  readonly logger: Logger;
}

/**
 * Where a member begins to read partitions that it was given: at what the group has committed, at the beginning when it never has.
 * Partitions that are gone are left out.
 * @returns as `starting` those without a commit: they are to be committed, with START_MARK.
 */
export async function startOffsets(
  { group, names, source, logger }: StartParts,
  coordinator: Broker,
  places: readonly PartitionPlace[],
): Promise<{ readonly assigned: readonly AssignedPartition[]; readonly starting: readonly AssignedPartition[] }> {
  const committed = await committedOffsets(coordinator, names, group, places);
  const ends = await source.ends(places);
  const assigned: AssignedPartition[] = [];
  const starting: AssignedPartition[] = [];
  for (const place of places) {
    const end = ends.get(placeName(place));
    if (!end) continue;
    const known = committed.get(placeName(place));
    const start = startOf(place, known, end);
    assigned.push(start);
    if (known === undefined) starting.push(start);
    const fields = { group, topic: place.topic, partition: place.partition };
    if (known === undefined && end.earliest > 0n)
      logger.warn('A new group begins where the log does; what stood before is gone.', {
        ...fields,
        earliest: end.earliest,
      });
    if (known !== undefined && known > end.next)
      logger.error(
        'A partition ends before what its group has read: it was made anew or truncated, and is read again.',
        {
          ...fields,
          committed: known,
          next: end.next,
        },
      );
  }
  return { assigned, starting };
}

/** Where reading goes on in a partition with these ends after the group had come to `known`. */
export function startOf(
  { topic, partition }: PartitionPlace,
  known: Offset | undefined,
  { earliest, next }: PartitionEnds,
): AssignedPartition {
  if (known === undefined || known > next) return { topic, partition, position: earliest };
  if (known < earliest) return { topic, partition, position: earliest, lostFrom: known };
  return { topic, partition, position: known };
}

async function committedOffsets(
  coordinator: Broker,
  names: Names,
  group: string,
  places: readonly PartitionPlace[],
): Promise<Map<string, Offset>> {
  const topics = new Map<string, { partition: number }[]>();
  for (const { topic, partition } of places)
    topics.set(names.toWire(topic), [...(topics.get(names.toWire(topic)) ?? []), { partition }]);
  const { responses } = await coordinator.offsetFetch({
    groupId: names.toWire(group),
    // The type asks for offsets, which the request does not have.
    topics: Array.from(topics, ([topic, partitions]) => ({
      topic,
      partitions: partitions.map(({ partition }) => ({ partition, offset: '' })),
    })),
  });
  const found = new Map<string, Offset>();
  for (const { topic, partitions } of responses)
    for (const { partition, offset } of partitions)
      if (!offset.startsWith('-'))
        found.set(placeName({ topic: names.fromWire(topic) ?? topic, partition }), BigInt(offset) as Offset);
  return found;
}
