import type { Log } from '../../ports/log/log.ts';
import { ContentUnavailable } from '../../runtime/errors.ts';
import type { Carried, Document, DocumentChange, Tombstone } from '../../schemas/document.ts';
import { decodeDocumentChange } from '../../schemas/documents-codec.ts';
import type { DocumentId } from '../../schemas/ids.ts';
import { sees } from '../../schemas/pg-snapshot.ts';
import { DOCUMENTS_TOPIC } from '../../schemas/topics.ts';
import { snapshotVersion, type SourceVersion } from '../../schemas/version.ts';
import type { DeadLetters } from '../dead-letters.ts';
import { carriedKey } from '../records.ts';

/** A key change: what its two halves have in common. */
export interface KeyChange {
  readonly from: DocumentId;
  readonly to: DocumentId;
  readonly version: SourceVersion;
}

/** What a batch has to look back to. */
export interface LookBack {
  readonly ids: ReadonlySet<DocumentId>;
  readonly keyChanges: readonly KeyChange[];
}

/**
 * Earlier versions of documents, as `freshet.documents` holds them; grows with what the batch itself emits, so that a change finds
 * the one right before it.
 */
export class EarlierVersions {
  readonly #last = new Map<DocumentId, Document | Tombstone>();
  readonly #carried = new Map<string, Document>();
  readonly #parked = new Map<DocumentId, SourceVersion[]>();

  /** @throws LogUnavailable */
  static async read(
    { ids, keyChanges }: LookBack,
    log: Log,
    deadLetters: Pick<DeadLetters, 'parked'>,
    signal: AbortSignal,
  ): Promise<EarlierVersions> {
    const earlier = new EarlierVersions();
    const wanted = [...new Set([...ids, ...keyChanges.flatMap(({ from, to }) => [from, to])])];
    if (wanted.length === 0) return earlier;
    const keys = [...wanted, ...keyChanges.map(({ to, version }) => carriedKey(to, version))];
    const [records, parked] = await Promise.all([
      log.latest(DOCUMENTS_TOPIC, keys, signal),
      deadLetters.parked(wanted, signal),
    ]);
    for (const record of records)
      if (record?.value) earlier.remember(decodeDocumentChange(Buffer.from(record.value).toString('utf8')));
    wanted.forEach((id, index) => {
      for (const version of parked[index] ?? []) earlier.park(id, version);
    });
    return earlier;
  }

  remember(change: DocumentChange): void {
    if (change.kind === 'document' || change.kind === 'tombstone') this.#last.set(change.id, change);
    if (change.kind !== 'carried') return;
    const key = carriedKey(change.to, change.version);
    if (change.document) this.#carried.set(key, change.document);
    else this.#carried.delete(key);
  }

  /** A version that was rejected: what it changed is not known. */
  park(id: DocumentId, version: SourceVersion): void {
    this.#parked.set(id, [...(this.#parked.get(id) ?? []), version]);
  }

  /** Whether the document is known in this version or a newer one. */
  reaches(id: DocumentId, version: SourceVersion): boolean {
    return (this.#last.get(id)?.version ?? -1n) >= version;
  }

  /** Whether the document is a row that was read after the transaction, so that it shows all changes up to this one. */
  shows(id: DocumentId, version: SourceVersion, xid: number | undefined): boolean {
    const last = this.#last.get(id);
    if (xid === undefined || last?.kind !== 'document' || last.pgSnapshot === undefined) return false;
    return last.version === snapshotVersion(version) && sees(last.pgSnapshot, xid);
  }

  /** Whether the document is known in the epoch of the version. One that is not was not there when the tables were read. */
  isOfEpoch(id: DocumentId, version: SourceVersion): boolean {
    return (this.#last.get(id)?.version ?? -1n) >= snapshotVersion(version);
  }

  /** Whether the delete half of a key change has come: then its content is here, or never will be. */
  hasFirstHalf({ from, to, version }: KeyChange, xid: number | undefined): boolean {
    return (
      this.#carried.has(carriedKey(to, version)) ||
      this.reaches(from, version) ||
      this.reaches(to, version) ||
      this.shows(from, version, xid)
    );
  }

  /** What the delete half of a key change hands on; undefined when there is nothing that the new document may take. */
  toCarry({ from, to, version }: KeyChange): Carried | undefined {
    const document = this.#before(from, version);
    return document instanceof Error ? undefined : { kind: 'carried', to, version, document };
  }

  /** What the create half forgets once it has taken the content over. */
  taken({ to, version }: KeyChange): Carried | undefined {
    return this.#carried.has(carriedKey(to, version)) ? { kind: 'carried', to, version } : undefined;
  }

  /**
   * The version that columns which were left out come from.
   * @throws ContentUnavailable when there is none, or when one in between is parked and may have changed that very column.
   */
  contentBefore(id: DocumentId, version: SourceVersion, keyChange: KeyChange | undefined): Document {
    const found = keyChange
      ? (this.#carried.get(carriedKey(id, version)) ??
        new ContentUnavailable('The text of a renamed document was left out, and its former id is not known.'))
      : this.#before(id, version);
    if (found instanceof Error) throw found;
    return found;
  }

  #before(id: DocumentId, version: SourceVersion): Document | ContentUnavailable {
    const last = this.#last.get(id);
    // A version of an older epoch says nothing of the row as this one found it.
    if (last?.kind !== 'document' || last.version >= version || !this.isOfEpoch(id, version))
      return new ContentUnavailable('A TOASTed column was left out and no earlier version of the document is known.');
    const parked = this.#parked.get(id)?.some((between) => between > last.version && between < version);
    if (parked)
      return new ContentUnavailable(
        'An earlier version of this document is parked as a dead letter; retry that one first.',
      );
    return last;
  }
}
