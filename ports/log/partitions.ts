import type { Log, LogRecord, Offset, PartitionState, RecordPlace } from './log.ts';

/** The next offset that a group reads of a partition: the earliest while it has never committed there. */
export function nextOf({ groups, earliest }: Pick<PartitionState, 'groups' | 'earliest'>, group: string): Offset {
  return groups[group] ?? earliest;
}

/** Records that a group has not read yet; of a compacted partition at most so many. */
export function lagOf(state: PartitionState, group: string): number {
  return Number(state.next - nextOf(state, group));
}

/**
 * The records of one partition from a place up to an end, in pages of at most `limit`; what is appended meanwhile beyond the end may
 * come with the last page.
 */
export async function* pagesOf(
  log: Log,
  from: RecordPlace,
  end: Offset,
  limit: number,
  signal?: AbortSignal,
): AsyncGenerator<readonly LogRecord[], void, undefined> {
  const { topic, partition } = from;
  for (let { offset } = from; offset < end;) {
    const page = await log.fetch({ topic, partition, offset }, limit, signal);
    const last = page.at(-1);
    if (!last) return;
    yield page;
    offset = (last.offset + 1n) as Offset;
  }
}
