import type { Log } from '../../ports/log/log.ts';
import { documentsRecord } from '../records.ts';
import type { Sink } from '../stage.ts';
import type { DecodedChange } from '../stages/decode-change.ts';
import type { Dedupe } from '../stages/dedupe.ts';

/** Appends redacted changes to the compacted topic `freshet.documents`, from which every index can be rebuilt. */
export function documentsTopic(log: Log, dedupe: Pick<Dedupe, 'appended'>): Sink<DecodedChange> {
  return {
    name: 'documents-topic',
    async write(changes, signal) {
      await log.append(
        changes.map(({ change, partition }) => documentsRecord(change, partition)),
        signal,
      );
      dedupe.appended(changes);
      return changes.map(() => ({ kind: 'written', outcome: 'passed' }));
    },
  };
}
