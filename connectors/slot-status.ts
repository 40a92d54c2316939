import type { Lsn } from '../schemas/lsn.ts';

/** A replication slot as the server shows it now. */
export interface SlotStatus {
  readonly name: string;
  readonly plugin: string;
  readonly database: string | null;
  readonly activePid: number | null;
  readonly restartLsn: Lsn | undefined;
  readonly confirmedFlushLsn: Lsn | undefined;
  readonly walStatus: string | null;
  readonly invalidationReason: string | null;
  readonly retainedBytes: number | undefined;
}

/**
 * Whether the server has given up what the slot was to keep. Servers differ in which of these fields they clear and when (B08), so
 * any of them counts. `unreserved` is no loss yet: the slot can still be read.
 */
export function isLost(slot: SlotStatus): boolean {
  return (
    slot.walStatus === 'lost' ||
    slot.invalidationReason !== null ||
    slot.restartLsn === undefined ||
    slot.confirmedFlushLsn === undefined
  );
}
