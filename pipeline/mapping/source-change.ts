import type { LogRecord } from '../../ports/log/log.ts';
import { RecordUnreadable } from '../../runtime/errors.ts';
import type { DocumentSource } from '../../schemas/document.ts';
import { envelopeVersion, NEW_KEY_HEADER, OLD_KEY_HEADER, type Envelope, type Row } from '../../schemas/envelope.ts';
import { documentId, parseDocumentId, type DocumentId } from '../../schemas/ids.ts';
import type { SourceVersion } from '../../schemas/version.ts';
import { columnText } from './column-text.ts';
import type { KeyChange } from './earlier-versions.ts';

/** Where and when something changed, whoever wrote it down. */
export interface ChangePlace {
  readonly version: SourceVersion;
  /** Position of the commit, or of the change where its record does not tell the commit's. */
  readonly position: string;
  readonly committedAt: number;
}

/** A change of one row: what our own connectors and Debezium have in common. */
export interface RowChange extends ChangePlace {
  readonly kind: 'row';
  readonly id: DocumentId;
  readonly source: DocumentSource;
  /** null: the row is gone. */
  readonly after: Row | null;
  /** The key change that the record is one half of. */
  readonly keyChange: KeyChange | undefined;
  /** Of a row: what it shows that comes behind it, where that is not nothing. */
  readonly pgSnapshot?: string;
  /** Of a change that a row may show already: the number of its transaction. */
  readonly xidToCheck?: number;
}

/** A TRUNCATE: every row of a table below the version is gone. */
export interface TableCleared extends ChangePlace {
  readonly kind: 'cleared';
  readonly source: string;
  readonly table: string;
}

/** Where the id of a document comes from. */
export function sourceOf(
  id: DocumentId,
  { source, table }: { readonly source: string; readonly table: string },
): DocumentSource {
  return { name: source, table, key: id.slice(id.lastIndexOf('/') + 1) };
}

/**
 * Reads an envelope of our own connectors: its record's key is the document id.
 * @throws RecordUnreadable
 */
export function ownChange(record: LogRecord, envelope: Envelope): RowChange {
  const version = envelopeVersion(envelope);
  if (version === undefined) throw new RecordUnreadable('/source/lsn is not a log sequence number.');
  const key = parseDocumentId(record.key);
  if (!key) throw new RecordUnreadable('The key of the record is not a document id.');
  if (envelope.op !== 'd' && !envelope.after)
    throw new RecordUnreadable(`/after is null in a change of kind ${envelope.op}.`);
  const id = record.key as DocumentId;
  const { pgSnapshot, mayBeRead, txId } = envelope.source;
  const otherId = (row: Row): DocumentId => documentId({ ...key, key: Object.values(row).map(columnText) });
  return {
    kind: 'row',
    id,
    source: sourceOf(id, key),
    version,
    position: envelope.source.commitLsn,
    committedAt: envelope.source.ts_ms,
    after: envelope.op === 'd' ? null : envelope.after,
    keyChange: keyChangeOf(record, id, version, otherId),
    ...(pgSnapshot !== undefined && { pgSnapshot }),
    ...(mayBeRead && txId !== undefined && { xidToCheck: txId }),
  };
}

/** The delete half of a key change names the new key in a header, the create half the old one. */
export function keyChangeOf(
  { headers }: Pick<LogRecord, 'headers'>,
  id: DocumentId,
  version: SourceVersion,
  otherId: (row: Row) => DocumentId,
): KeyChange | undefined {
  const [newKey, oldKey] = [headers[NEW_KEY_HEADER], headers[OLD_KEY_HEADER]];
  const other = newKey ?? oldKey;
  if (other === undefined) return undefined;
  const to = otherId(rowIn(other));
  return newKey === undefined ? { from: to, to: id, version } : { from: id, to, version };
}

function rowIn(header: string): Row {
  try {
    const value = JSON.parse(header) as Row & { readonly payload?: Row };
    return 'schema' in value && value.payload ? value.payload : value;
  } catch {
    throw new RecordUnreadable('The header with the other key of a key change is not JSON.');
  }
}
