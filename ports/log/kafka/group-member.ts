import type { FreshetError } from '../../../runtime/errors.ts';
import type { CommitOffset, Offset, PartitionPlace, RecordPlace } from '../log.ts';
import type { FetchedPartition } from './decode-records.ts';

/** A partition that a member has got, and where it begins to read it. */
export interface AssignedPartition extends PartitionPlace {
  /** The first offset that is still there at or after what the group has committed. */
  readonly position: Offset;
  /** Retention has deleted what stood from here to `position`, unread. */
  readonly lostFrom?: Offset;
}

/** What is to be fetched next of one partition. */
export interface FetchRequest extends RecordPlace {
  readonly maxBytes: number;
}

/** Whoever reads through a member: keeps what was fetched, hands it out, and says how much more it wants. */
export interface MemberListener {
  assigned(partitions: readonly AssignedPartition[]): void;
  /**
   * Partitions have to go to another member. Nothing of them is handed out any more; resolves when nothing of them is in work and what
   * was done is committed, or when waiting longer would hold up the group. Afterwards nothing of them is committed either.
   */
  revoking(partitions: readonly PartitionPlace[]): Promise<void>;
  /** Partitions have gone without notice: another member may be at work on them. */
  lost(partitions: readonly PartitionPlace[]): void;
  /** What to fetch now, of partitions that are this member's. */
  wanted(): readonly FetchRequest[];
  /** Whether `wanted` leaves no partition out. */
  hasRoomForAll(): boolean;
  /** The answer to what was wanted; it is ignored for a partition that has been moved to another offset meanwhile. */
  fetched(requested: RecordPlace, partition: FetchedPartition): void;
  /** The partition no longer reaches back to where it was to be read: what stood from `lostFrom` to `position` is gone. */
  moved(partition: AssignedPartition): void;
  /** The member has given up; it can join again. */
  failed(error: FreshetError): void;
}

/** Membership in a consumer group, by one client or the other. */
export interface GroupMember {
  /** Joins and keeps joining when the group changes, until it leaves. Idempotent. */
  join(): void;
  /** The listener may want something that it did not want before. */
  resume(): void;
  /** Topics or partitions may have been added. */
  lookForTopics(): void;
  /** @returns what was committed: what is not this member's any more is left out. @throws LogUnavailable */
  commit(offsets: readonly CommitOffset[], signal?: AbortSignal): Promise<readonly CommitOffset[]>;
  /** Gives everything back at once. */
  leave(): Promise<void>;
}

/** `topic/partition`, for maps. */
export function placeName({ topic, partition }: PartitionPlace): string {
  return `${topic}/${partition}`;
}
