import type { CommitOffset, LogRecord, Offset } from '../ports/log/log.ts';
import type { Ending } from './flow.ts';

/**
 * What to commit once every record of a batch needs no more work: per partition the offset after its last record. Every partition
 * of the batch is named, not only the last one (B14). A blocked record holds its own partition back, and no other.
 */
export function nextOffsets(batch: readonly LogRecord[], endings: readonly Ending[]): readonly CommitOffset[] {
  const next = new Map<string, CommitOffset>();
  const held = new Set<string>();
  for (const [index, { topic, partition, offset }] of batch.entries()) {
    const place = `${topic}/${partition}`;
    if (endings[index]?.kind === 'blocked') held.add(place);
    if (held.has(place)) continue;
    const after = (offset + 1n) as Offset;
    const known = next.get(place);
    if (!known || known.next < after) next.set(place, { topic, partition, next: after });
  }
  return [...next.values()];
}
