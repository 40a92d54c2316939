import { DocumentRefused, type FreshetError } from '../../../runtime/errors.ts';
import { parseDocumentId, type DocumentId } from '../../../schemas/ids.ts';
import type { SourceVersion } from '../../../schemas/version.ts';
import type { AttachVectors, RemoveDocument, ReplaceDocument, TouchDocument, WriteOutcome } from '../document-store.ts';
import { documentFault, vectorsFault } from '../document-fault.ts';
import { isName } from '../is-name.ts';
import {
  documentBody,
  encodeVector,
  erasedBody,
  tombstoneBody,
  type DocumentBody,
  type PassageBody,
} from './document-body.ts';
import { MAX_PASSAGES } from './index-mapping.ts';

/** A write of one document. */
export type OneDocumentWrite = ReplaceDocument | RemoveDocument | TouchDocument | AttachVectors;

/** What was read of a document before it is written: enough to decide, and the whole of it where vectors are to be attached. */
export interface FoundDocument {
  readonly version: SourceVersion;
  readonly deleted: boolean;
  readonly contentHash: string;
  readonly tenant: string;
  readonly whole?: DocumentBody;
}

/** The fields that a `touch` changes. */
export type TouchedFields = Pick<DocumentBody, 'version' | 'position' | 'committedAt' | 'indexedAt'>;

/** What has to be stored so that the outcomes come true. */
export type Change =
  | { readonly kind: 'none' }
  | { readonly kind: 'put'; readonly body: DocumentBody }
  | { readonly kind: 'touch'; readonly fields: TouchedFields };

/** Outcomes in the order of the writes, and the one change that they come to. */
export interface Decision {
  readonly outcomes: readonly WriteOutcome[];
  readonly change: Change;
}

/** What a decision depends on besides the document. */
export interface DecisionContext {
  /** Version below which the table takes nothing; 0 for none. */
  readonly floor: SourceVersion;
  readonly dimensions: number;
  /** ms since the epoch */
  readonly now: number;
}

const APPLIED: WriteOutcome = { kind: 'applied' };
const ZERO = 0n as SourceVersion;

/** The id of the document that a write is about. */
export function idOf(write: OneDocumentWrite): DocumentId {
  return write.kind === 'replace' ? write.document.id : write.id;
}

/**
 * Applies writes of one document, in order, to what is stored of it. Pure: only the caller's conditional write makes it so, and it decides
 * anew when the document was another one by then. A document below the floor counts as gone, and what is left of it is erased.
 */
export function decideWrites(
  id: DocumentId,
  found: FoundDocument | undefined,
  writes: readonly OneDocumentWrite[],
  context: DecisionContext,
): Decision {
  const isBelow = found !== undefined && found.version < context.floor;
  const draft = new Draft(id, isBelow ? undefined : found, context);
  const outcomes = writes.map((write) => draft.apply(write));
  const { change } = draft;
  if (change.kind === 'none' && isBelow && !found.deleted)
    return { outcomes, change: { kind: 'put', body: erasedBody(id, found.version, context.now) } };
  return { outcomes, change };
}

/** A document on its way from what is stored to what will be. */
class Draft {
  readonly #id: DocumentId;
  readonly #context: DecisionContext;
  #now: FoundDocument | undefined;
  change: Change = { kind: 'none' };

  constructor(id: DocumentId, found: FoundDocument | undefined, context: DecisionContext) {
    this.#id = id;
    this.#now = found;
    this.#context = context;
  }

  apply(write: OneDocumentWrite): WriteOutcome {
    switch (write.kind) {
      case 'replace':
        return this.#replace(write);
      case 'remove':
        return (
          this.#notNewer(write.version) ?? this.#put(tombstoneBody(write, this.#now?.tenant ?? '', this.#context.now))
        );
      case 'touch':
        return this.#touch(write);
      case 'attach-vectors':
        return this.#attach(write);
    }
  }

  #replace(write: ReplaceDocument): WriteOutcome {
    const { dimensions, now } = this.#context;
    const fault = documentFault(write, { dimensions, maxPassages: MAX_PASSAGES });
    if (fault) return refused(fault);
    return this.#notNewer(write.document.version) ?? this.#put(documentBody(write, now));
  }

  #touch(write: TouchDocument): WriteOutcome {
    const notNewer = this.#notNewer(write.version);
    if (notNewer) return notNewer;
    const found = this.#now;
    if (!found) return stale(ZERO);
    if (found.deleted || found.contentHash !== write.contentHash) return stale(found.version);
    const { position, committedAt } = write;
    const fields: TouchedFields = {
      version: String(write.version),
      position,
      committedAt,
      indexedAt: this.#context.now,
    };
    if (found.whole) return this.#put({ ...found.whole, ...fields });
    this.#now = { ...found, version: write.version };
    this.change = { kind: 'touch', fields };
    return APPLIED;
  }

  #attach(write: AttachVectors): WriteOutcome {
    const found = this.#now;
    if (!found?.whole || found.version !== write.version || found.deleted) return stale(found?.version ?? ZERO);
    const fault = vectorsFault(
      write.vectors.map(({ vector }) => vector),
      this.#context.dimensions,
    );
    if (fault) return refused(fault);
    const wanted = new Map(write.vectors.map((each) => [each.ordinal, each]));
    let added = 0;
    const passages = found.whole.passages.map((passage): PassageBody => {
      const each = wanted.get(passage.ordinal);
      if (!each || each.vectorKey !== passage.vectorKey || passage.hasVector) return passage;
      added++;
      return { ...passage, hasVector: true, vector: encodeVector(each.vector) };
    });
    if (added === 0) return stale(found.version);
    return this.#put({ ...found.whole, passages, vectorCount: found.whole.vectorCount + added });
  }

  #put(body: DocumentBody): WriteOutcome {
    const { deleted, contentHash, tenant } = body;
    this.#now = { version: BigInt(body.version) as SourceVersion, deleted, contentHash, tenant, whole: body };
    this.change = { kind: 'put', body };
    return APPLIED;
  }

  /** The outcome of a write that is not newer than what is stored, or lies below the floor. */
  #notNewer(version: SourceVersion): WriteOutcome | undefined {
    if (this.#now && this.#now.version >= version) return stale(this.#now.version);
    if (!parseDocumentId(this.#id) || !isName(this.#id))
      return refused(new DocumentRefused('the id of the document is not one'));
    return this.#context.floor > version ? stale(this.#context.floor) : undefined;
  }
}

/** The outcome of a write that changes nothing. */
export function stale(version: SourceVersion): WriteOutcome {
  return { kind: 'stale', version };
}

function refused(error: FreshetError): WriteOutcome {
  return { kind: 'refused', error };
}
