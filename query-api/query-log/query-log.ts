import type { QueryRecord } from '../../schemas/query-record.ts';

/** Keeps what was asked and what became of it. */
export interface QueryLog extends AsyncDisposable {
  /** Takes a record at once, or drops and counts it: never waits, never throws. Disposing writes what was taken. */
  record(record: QueryRecord): void;
}
