import type { AdvancePosition } from '../../ports/document-store/document-store.ts';
import type { AppendRecord, Log } from '../../ports/log/log.ts';
import { nextOf } from '../../ports/log/partitions.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { DeferredVectors, VectorsRecord } from '../../schemas/deferred-vectors.ts';
import type { DocumentId } from '../../schemas/ids.ts';
import { VECTORS_TOPIC } from '../../schemas/topics.ts';
import type { SourceVersion } from '../../schemas/version.ts';

/** Consumer group that computes deferred vectors. */
export const EMBED_GROUP = 'freshet-embed';

/** How often an index that is behind looks whether the deferred vectors have all been computed, ms. */
const LOOK_EVERY_MS = 500;

export interface DeferredDocument {
  readonly id: DocumentId;
  readonly version: SourceVersion;
  /** Of its record in `freshet.documents`. */
  readonly partition: number;
}

/** A position that a partition of `freshet.documents` has passed. */
export interface PassedPosition {
  readonly advance: AdvancePosition;
  readonly partition: number;
}

/** The way of documents whose vectors follow later. */
export interface DeferredQueue {
  /** Asks for the vectors of documents, then passes the positions behind them on. Durable when it resolves. */
  append(
    documents: readonly DeferredDocument[],
    positions: readonly PassedPosition[],
    signal: AbortSignal,
  ): Promise<void>;
  /**
   * False when everything that was deferred before the call has its vectors: a searchable position that was read before it is then a
   * complete one.
   */
  mayBeBehind(signal: AbortSignal): Promise<boolean>;
}

/**
 * Positions follow the documents through the same partitions of `freshet.vectors`, so that whoever reads one there has embedded
 * everything before it. That nothing is waiting is asked of the log anew each time: the partition may just have been taken over from a
 * process that had deferred something. That something is waiting may be old news: in doubt it claims less.
 */
export function deferredQueue(log: Log, clock: Clock): DeferredQueue {
  let behind = false;
  let lookedAt = Number.NEGATIVE_INFINITY;

  return {
    async append(documents, positions, signal) {
      const records: AppendRecord[] = documents.map(({ id, version, partition }) => {
        const value: DeferredVectors = { kind: 'deferred', id, version: version.toString() };
        return { ...record(id, value), partition };
      });
      for (const { advance, partition } of positions) {
        const { source, lane, lanes, position, committedAt, epoch } = advance;
        records.push({
          ...record(`~watermark/${lane}`, { kind: 'watermark', source, lane, lanes, position, committedAt, epoch }),
          partition,
        });
      }
      if (records.length === 0) return;
      await log.append(records, signal);
    },

    async mayBeBehind(signal) {
      if (behind && clock.monotonicMs() - lookedAt < LOOK_EVERY_MS) return true;
      lookedAt = clock.monotonicMs();
      const partitions = await log.describe([VECTORS_TOPIC], signal);
      behind = partitions.some((state) => nextOf(state, EMBED_GROUP) < state.next);
      return behind;
    },
  };
}

function record(key: string, value: VectorsRecord): AppendRecord {
  return { topic: VECTORS_TOPIC, key, value: Buffer.from(JSON.stringify(value)) };
}
