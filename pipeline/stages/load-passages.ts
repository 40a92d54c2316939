import { Compile } from 'typebox/compile';
import type { DocumentStore, StoredDocument } from '../../ports/document-store/document-store.ts';
import type { LogRecord } from '../../ports/log/log.ts';
import { RecordUnreadable } from '../../runtime/errors.ts';
import { VectorsRecord } from '../../schemas/deferred-vectors.ts';
import type { DocumentId } from '../../schemas/ids.ts';
import type { Watermark } from '../../schemas/marker.ts';
import { parseVersion } from '../../schemas/version.ts';
import { drop, emit, reject, type Stage, type Verdict } from '../stage.ts';

/** A stored document whose passages miss vectors, or a position that everything before it has reached. */
export type VectorsWanted =
  | { readonly kind: 'wanted'; readonly document: StoredDocument }
  | { readonly kind: 'reached'; readonly watermark: Watermark };

const vectorsRecord = Compile(VectorsRecord);

/** Reads from the index what `freshet.vectors` asks vectors for. What has moved to another version meanwhile is dropped. */
export function loadPassages(store: DocumentStore): Stage<LogRecord, VectorsWanted> {
  return {
    name: 'load-passages',
    async run(records, signal) {
      const wanted = records.map(read);
      const ids = [...new Set(wanted.flatMap((one) => (one?.kind === 'deferred' ? [one.id as DocumentId] : [])))];
      const found = ids.length === 0 ? [] : await store.read(ids, {}, signal);
      const stored = new Map(ids.map((id, index) => [id, found[index]]));
      const taken = new Set<DocumentId>();
      return wanted.map((one): Verdict<VectorsWanted> => {
        if (!one) return reject(new RecordUnreadable('The record is not a value of freshet.vectors.'));
        if (one.kind === 'watermark') return emit<VectorsWanted>({ kind: 'reached', watermark: one });
        const document = stored.get(one.id as DocumentId);
        const isCurrent = document && !document.deleted && document.version === parseVersion(one.version);
        if (!isCurrent || taken.has(document.id) || document.passages.every((passage) => passage.hasVector))
          return drop('superseded');
        taken.add(document.id);
        return emit<VectorsWanted>({ kind: 'wanted', document });
      });
    },
  };
}

function read(record: LogRecord): VectorsRecord | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(record.value ?? new Uint8Array()).toString('utf8'));
    return vectorsRecord.Check(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
