import type { CommitOffset, LogRecord, Offset } from '../ports/log/log.ts';

/**
 * What to commit once every record of a batch needs no more work: per partition the offset after its last record. Every partition
 * of the batch is named, not only the last one (B14).
 */
export function nextOffsets(batch: readonly LogRecord[]): readonly CommitOffset[] {
  const next = new Map<string, CommitOffset>();
  for (const { topic, partition, offset } of batch) {
    const place = `${topic}/${partition}`;
    const after = (offset + 1n) as Offset;
    const known = next.get(place);
    if (!known || known.next < after) next.set(place, { topic, partition, next: after });
  }
  return [...next.values()];
}
