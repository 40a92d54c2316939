import type { AppendRecord, LogRecord } from '../ports/log/log.ts';
import type { DocumentChange } from '../schemas/document.ts';
import { encodeDocumentChange } from '../schemas/documents-codec.ts';
import { parseDocumentId, type DocumentId } from '../schemas/ids.ts';
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

/** Which version of which document a record is about. */
export interface RecordIdentity {
  readonly id: DocumentId;
  readonly version?: SourceVersion | undefined;
}

/** Of records whose key and headers do not say it, once they have been read: Debezium keys by columns and knows no version. */
const identities = new WeakMap<object, RecordIdentity>();

/** Keeps what reading a record has shown, for as long as the record is worked on: a dead letter of it is found by document. */
export function identify(record: LogRecord, identity: RecordIdentity): void {
  identities.set(record, identity);
}

/** What the record is about; undefined for markers, and for records that nobody has been able to read. */
export function identityOf(record: LogRecord): RecordIdentity | undefined {
  const known = identities.get(record);
  if (known || !parseDocumentId(record.key)) return known;
  return { id: record.key as DocumentId, version: versionOf(record) };
}

/**
 * A value of `freshet.documents` as a record. Everything stays on the partition it came through, whoever chose that one: a marker says
 * that what came before it in its partition has passed, and Kafka Connect spreads keys in a way of its own (I11).
 */
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
        partition,
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
