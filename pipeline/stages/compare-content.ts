import type { DocumentStore, DocumentWrite, StoredDocument } from '../../ports/document-store/document-store.ts';
import type { LogRecord } from '../../ports/log/log.ts';
import { RecordUnreadable } from '../../runtime/errors.ts';
import type { Carried, Document, DocumentChange, Tombstone } from '../../schemas/document.ts';
import { decodeDocumentChange } from '../../schemas/documents-codec.ts';
import type { DocumentId } from '../../schemas/ids.ts';
import type { RemoveBelow, Watermark } from '../../schemas/marker.ts';
import { parseVersion, type SourceVersion } from '../../schemas/version.ts';
import { contentHash } from '../content-hash.ts';
import { drop, emit, reject, type Stage, type Verdict } from '../stage.ts';

/** A document whose content is new to the index. */
export interface NewContent {
  readonly kind: 'new-content';
  readonly document: Document;
  readonly contentHash: string;
  /** Partition of the record, which what is forwarded keeps. */
  readonly partition: number;
}

/** What the index sink does without looking at text: a removal, a touch, a marker. */
export interface ReadyWrite {
  readonly kind: 'ready';
  readonly write: Exclude<DocumentWrite, { kind: 'replace' | 'attach-vectors' }>;
  /** The stored passages still miss vectors, which the touched version has to ask for anew. */
  readonly missesVectors: boolean;
  readonly partition: number;
}

/** The document is stored in this version already, but a crash may have come before its missing vectors were asked for. */
export interface AskAgain {
  readonly kind: 'ask-again';
  readonly id: DocumentId;
  readonly version: SourceVersion;
  readonly partition: number;
}

export type IndexChange = NewContent | ReadyWrite | AskAgain;

/**
 * Compares changes of `freshet.documents` with what the index holds: what is older is dropped, what is equal in content costs one
 * row instead of passages and vectors (R4), and of several versions in one batch only the newest goes on.
 */
export function compareContent(store: DocumentStore): Stage<LogRecord, IndexChange> {
  return {
    name: 'compare-content',
    async run(records, signal) {
      const changes = records.map(readChange);
      const newest = newestVersions(changes);
      const ids = [...newest.keys()];
      const found = ids.length === 0 ? [] : await store.read(ids, {}, signal);
      const stored = new Map(ids.map((id, index) => [id, found[index]]));
      return changes.map((change, index): Verdict<IndexChange> => {
        if (change instanceof RecordUnreadable) return reject(change);
        const partition = records[index]?.partition ?? 0;
        if (change === 'carried') return drop('filtered'); // concerns only who renames
        if (change.kind === 'watermark' || change.kind === 'remove-below')
          return emit<IndexChange>(markerWrite(change, partition));
        if ((newest.get(change.id) ?? 0n) > change.version) return drop('superseded');
        return compare(change, stored.get(change.id), partition);
      });
    },
  };
}

function compare(
  change: Document | Tombstone,
  stored: StoredDocument | undefined,
  partition: number,
): Verdict<IndexChange> {
  if (stored && stored.version > change.version) return drop('superseded');
  if (change.kind === 'tombstone') {
    if (stored?.version === change.version) return drop('superseded');
    const { id, version, source, committedAt } = change;
    return emit<IndexChange>({
      kind: 'ready',
      write: { kind: 'remove', id, version, source, committedAt },
      missesVectors: false,
      partition,
    });
  }
  const missesVectors = stored?.passages.some((passage) => !passage.hasVector) ?? false;
  if (stored?.version === change.version) {
    return missesVectors
      ? emit<IndexChange>({ kind: 'ask-again', id: change.id, version: change.version, partition })
      : drop('superseded');
  }
  const hash = contentHash(change);
  if (!stored || stored.deleted || stored.contentHash !== hash)
    return emit<IndexChange>({ kind: 'new-content', document: change, contentHash: hash, partition });
  const { id, version, position, committedAt } = change;
  return emit<IndexChange>({
    kind: 'ready',
    write: { kind: 'touch', id, version, contentHash: hash, position, committedAt },
    missesVectors,
    partition,
  });
}

function readChange(record: LogRecord): Exclude<DocumentChange, Carried> | 'carried' | RecordUnreadable {
  if (record.value === null) return 'carried';
  try {
    const change = decodeDocumentChange(Buffer.from(record.value).toString('utf8'));
    return change.kind === 'carried' ? 'carried' : change;
  } catch {
    return new RecordUnreadable('The record is not a value of freshet.documents.');
  }
}

function newestVersions(changes: readonly ReturnType<typeof readChange>[]): Map<DocumentId, SourceVersion> {
  const newest = new Map<DocumentId, SourceVersion>();
  for (const change of changes) {
    if (
      change === 'carried' ||
      change instanceof RecordUnreadable ||
      (change.kind !== 'document' && change.kind !== 'tombstone')
    )
      continue;
    if ((newest.get(change.id) ?? -1n) < change.version) newest.set(change.id, change.version);
  }
  return newest;
}

function markerWrite(marker: Watermark | RemoveBelow, partition: number): ReadyWrite {
  const { source, lane, lanes } = marker;
  if (marker.kind === 'watermark') {
    const { epoch, position, committedAt } = marker;
    return {
      kind: 'ready',
      write: { kind: 'advance', level: 'searchable', source, lane, lanes, epoch, position, committedAt },
      missesVectors: false,
      partition,
    };
  }
  const version = parseVersion(marker.version);
  if (version === undefined) throw new RecordUnreadable('/version of a remove-below marker is not a version.');
  return {
    kind: 'ready',
    write: { kind: 'remove-below', source, table: marker.table, version, lane, lanes },
    missesVectors: false,
    partition,
  };
}
