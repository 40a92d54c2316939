import type { DocumentStore } from '../../ports/document-store/document-store.ts';
import type { Log, LogRecord, Offset } from '../../ports/log/log.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { DocumentId } from '../../schemas/ids.ts';
import { DOCUMENTS_TOPIC } from '../../schemas/topics.ts';

/** When one change was where, ms since the epoch, all by the clock of this machine. What is missing was not seen. */
export interface Journey {
  /** When PostgreSQL committed it, as the write-ahead log says. */
  readonly committedAt?: number;
  /** When it was durable in the log. */
  readonly loggedAt?: number;
  /** When it was decoded, deduplicated and filtered. */
  readonly preparedAt?: number;
  /** When its passages were written to the index. */
  readonly indexedAt?: number;
  /** When a search was sure to see it. */
  readonly searchableAt: number;
  /** Whether its vectors are there too; otherwise it is found by its words until they are. */
  readonly hasVectors: boolean;
}

export interface TraceParts {
  readonly log: Log;
  readonly store: DocumentStore;
  readonly clock: Clock;
}

/** Records from the end of each partition in which a change is looked for: it is a moment old. */
const LOOK_BACK = 50n;

/** Reads from log and index when a change that is searchable since `searchableAt` has passed each of them. Nothing in it is estimated. */
export async function traceChange(
  id: DocumentId,
  topic: string,
  searchableAt: number,
  { log, store }: TraceParts,
  signal: AbortSignal,
): Promise<Journey> {
  const [[document], logged, prepared] = await Promise.all([
    store.read([id], {}, signal),
    newest(log, topic, id, signal),
    newest(log, DOCUMENTS_TOPIC, id, signal),
  ]);
  return {
    ...(document && { committedAt: document.committedAt, indexedAt: document.indexedAt }),
    ...(logged && { loggedAt: logged.timestamp }),
    ...(prepared && { preparedAt: prepared.timestamp }),
    searchableAt,
    hasVectors: document?.passages.every(({ hasVector }) => hasVector) ?? false,
  };
}

/** The newest record of a key near the end of a topic. */
async function newest(log: Log, topic: string, key: string, signal: AbortSignal): Promise<LogRecord | undefined> {
  const partitions = await log.describe([topic], signal);
  const pages = await Promise.all(
    partitions.map(({ partition, earliest, next }) => {
      const from = next - LOOK_BACK;
      const offset = (from > earliest ? from : earliest) as Offset;
      return log.fetch({ topic, partition, offset }, Number(LOOK_BACK), signal);
    }),
  );
  return pages
    .flat()
    .filter((record) => record.key === key)
    .toSorted((a, b) => a.timestamp - b.timestamp)
    .at(-1);
}
