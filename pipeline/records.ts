import type { AppendRecord, LogRecord } from '../ports/log/log.ts';
import type { DocumentChange } from '../schemas/document.ts';
import { encodeDocumentChange } from '../schemas/documents-codec.ts';
import type { DocumentId } from '../schemas/ids.ts';
import { DOCUMENTS_TOPIC, VERSION_HEADER } from '../schemas/topics.ts';
import { parseVersion, type SourceVersion } from '../schemas/version.ts';

/** The version in the header of a record; undefined when there is none (markers, records of foreign producers). */
export function versionOf(record: Pick<LogRecord, 'headers'>): SourceVersion | undefined {
  const text = record.headers[VERSION_HEADER];
  return text === undefined ? undefined : parseVersion(text);
}

/** Whether a record is a marker of positions or ranges, by its key: no document id begins like this. */
export function isMarker({ key }: Pick<LogRecord, 'key'>): boolean {
  return key.startsWith('~');
}

/** A value of `freshet.documents` as a record. Markers stay on the partition they came through. */
export function documentsRecord(change: DocumentChange, partition: number): AppendRecord {
  const value = Buffer.from(encodeDocumentChange(change));
  switch (change.kind) {
    case 'document':
    case 'tombstone':
      return {
        topic: DOCUMENTS_TOPIC,
        key: change.id,
        value,
        headers: { [VERSION_HEADER]: change.version.toString() },
        version: change.version,
      };
    case 'carried':
      return {
        topic: DOCUMENTS_TOPIC,
        key: carriedKey(change.to, change.version),
        value: change.document ? value : null,
        partition,
      };
    case 'watermark':
      return { topic: DOCUMENTS_TOPIC, key: `~watermark/${change.lane}`, value, partition };
    case 'remove-below':
      return {
        topic: DOCUMENTS_TOPIC,
        key: `~remove-below/${change.source}/${change.table}/${change.lane}`,
        value,
        partition,
      };
  }
}

/** Key of the content that a key change of `version` carries to `to`. */
export function carriedKey(to: DocumentId, version: SourceVersion): string {
  return `~carried/${to}/${version}`;
}
