import type { Document, DocumentSource, Lineage, MetadataValue, Passage } from '../../schemas/document.ts';
import type { DocumentId } from '../../schemas/ids.ts';
import type { Principal } from '../../schemas/principal.ts';
import type { Filter } from '../../schemas/query.ts';
import type { SourceVersion } from '../../schemas/version.ts';

/** Vectors by ordinal of the passage; a missing one is filled in later (lexical-first). Unit length, `dimensions` long. */
export type PassageVectors = readonly (Float32Array | undefined)[];

/** Puts a whole document in the place of what was there, passages, vectors and ACL together, iff its version is newer. */
export interface ReplaceDocument {
  readonly kind: 'replace';
  readonly document: Document;
  /** The text that spans point into. For HTML it is the extracted text. */
  readonly text: string;
  readonly passages: readonly Passage[];
  readonly vectors: PassageVectors;
  readonly lineage: Lineage;
  /** Hash of title, text, tenant, ACL and metadata: equal for equal content, whatever the version (I1, reconciliation). */
  readonly contentHash: string;
}

/** Removes a document for good: a tombstone of this version stays and refuses anything older (I2). */
export interface RemoveDocument {
  readonly kind: 'remove';
  readonly id: DocumentId;
  readonly version: SourceVersion;
  readonly source: DocumentSource;
  readonly committedAt: number;
}

/**
 * Moves a document to a newer version whose content is the same, iff it is stored with `contentHash`. Costs one row, no passage.
 * Outcome `stale` when the stored content is another one; the caller then sends a `replace`.
 */
export interface TouchDocument {
  readonly kind: 'touch';
  readonly id: DocumentId;
  readonly version: SourceVersion;
  readonly contentHash: string;
  readonly position: string;
  readonly committedAt: number;
}

/** Adds vectors to passages of a document, iff it is still at exactly this version. */
export interface AttachVectors {
  readonly kind: 'attach-vectors';
  readonly id: DocumentId;
  readonly version: SourceVersion;
  readonly vectors: readonly { readonly ordinal: number; readonly vectorKey: string; readonly vector: Float32Array }[];
}

/**
 * Range tombstone: removes every document of a table below `version`, and refuses any that arrives later below it. With
 * `lanes > 1` it takes effect once it was written for `lanes` different lanes.
 */
export interface RemoveBelowVersion {
  readonly kind: 'remove-below';
  readonly source: string;
  readonly table: string;
  readonly version: SourceVersion;
  readonly lane: string;
  readonly lanes: number;
}

/** Everything of `lane` up to `position` has been written. `level` tells of which: `searchable` lexically, `complete` with vectors. */
export interface AdvancePosition {
  readonly kind: 'advance';
  readonly level: 'searchable' | 'complete';
  readonly source: string;
  readonly lane: string;
  readonly lanes: number;
  readonly epoch: number;
  readonly position: string;
  readonly committedAt: number;
}

/** One write of the index. Every kind is versioned or idempotent, so repeating one is harmless. */
export type DocumentWrite =
  ReplaceDocument | RemoveDocument | TouchDocument | AttachVectors | RemoveBelowVersion | AdvancePosition;

/**
 * - `applied`: stored as asked.
 * - `stale`: the store holds the same or a newer version (or a tombstone, or a range tombstone above it): nothing changed.
 * - `refused`: the store will never take this one; the error says why. The other writes of the call are not affected.
 */
export type WriteOutcome =
  | { readonly kind: 'applied' }
  | { readonly kind: 'stale'; readonly version: SourceVersion }
  | { readonly kind: 'refused'; readonly error: Error };

/** A document as stored. `deleted` ones have no text and no passages. */
export interface StoredDocument {
  readonly id: DocumentId;
  readonly version: SourceVersion;
  readonly deleted: boolean;
  readonly source: DocumentSource;
  readonly tenant: string;
  readonly acl: readonly string[] | null;
  readonly title: string;
  readonly text: string;
  readonly metadata: { readonly [name: string]: MetadataValue };
  readonly position: string;
  readonly committedAt: number;
  readonly indexedAt: number;
  readonly contentHash: string;
  readonly lineage: Lineage;
  readonly passages: readonly StoredPassage[];
}

/** A passage as stored. */
export interface StoredPassage extends Passage {
  /** Undefined while the vector is still missing, or when `read` was asked without vectors. */
  readonly vector: Float32Array | undefined;
  readonly hasVector: boolean;
}

/** Who may see what. `null` instead of a scope does not exist: an unrestricted read is `read` and `list`, which no route exposes unchecked. */
export interface SearchScope {
  readonly principal: Principal;
  readonly filter: Filter;
}

/** One or both legs of a search, under one scope. `depth` is how many hits a leg gives at most. */
export interface StoreQuery {
  readonly scope: SearchScope;
  /** Free text, any characters: the adapter quotes it, nothing in it is query syntax. */
  readonly lexical?: { readonly text: string; readonly depth: number };
  readonly dense?: { readonly vector: Float32Array; readonly depth: number };
}

/** How much the scores of each leg count. */
export interface LegWeights {
  readonly lexical: number;
  readonly dense: number;
}

/** How both legs become one list (`fuse.ts`), and how many hits it has at most. */
export interface Fusion {
  readonly weights: LegWeights;
  readonly count: number;
}

/** A retrieved passage with what a result shows of its document. `score` compares hits of one leg only and never leaves the process. */
export interface Hit {
  readonly documentId: DocumentId;
  readonly version: SourceVersion;
  readonly source: DocumentSource;
  readonly title: string;
  readonly metadata: { readonly [name: string]: MetadataValue };
  readonly committedAt: number;
  readonly indexedAt: number;
  readonly passage: Passage;
  /** False while the vector is still to come: the dense leg cannot have found the passage. */
  readonly hasVector: boolean;
  readonly score: number;
}

/** Both legs, best first. Taken from one state of the store: a document has one version in the whole reply (I4). */
export interface StoreReply {
  readonly lexical: readonly Hit[];
  readonly dense: readonly Hit[];
}

/** How far the index is with one source. */
export interface SourceProgress {
  /** Least position over the source's lanes; undefined until every lane has reported. */
  readonly searchable: { readonly position: string; readonly committedAt: number; readonly epoch: number } | undefined;
  readonly complete: { readonly position: string; readonly committedAt: number; readonly epoch: number } | undefined;
  readonly documents: number;
  readonly passages: number;
}

/** How far the index is. Passages are live ones; tombstones have none. */
export interface StoreProgress {
  readonly sources: Readonly<Record<string, SourceProgress>>;
  readonly passages: number;
  readonly passagesWithVector: number;
}

/** A page of documents, in id order. */
export interface ListRequest {
  /** Ids after this one, in code-unit order; from the start when absent. */
  readonly after?: DocumentId;
  readonly limit: number;
  readonly source?: string;
  readonly table?: string;
  readonly includeDeleted?: boolean;
}

/** What reconciliation compares of a document, without its text. */
export interface DocumentSummary {
  readonly id: DocumentId;
  readonly version: SourceVersion;
  readonly deleted: boolean;
  readonly contentHash: string;
  readonly passages: number;
}

/** How documents are read by id. */
export interface ReadOptions {
  readonly vectors?: boolean;
  /** As searches see them, which may be a moment behind: a reader that does both must not see a document go back (I3). */
  readonly asSearched?: boolean;
}

/**
 * The index: whole documents, replaced and removed by version, searched by words and by vector. Every document is atomic: a
 * reader sees one version of it or none (I4). Versions never go down (I3). Tombstones are documents and outlive every replay (I2).
 * One instance holds one generation (one model, one chunker). Every adapter passes `document-store.conformance.ts`.
 */
export interface DocumentStore extends AsyncDisposable {
  /**
   * Applies writes in order; one outcome per write, same order. Durable when it resolves. Repeating a call is harmless: what was
   * applied comes back `stale`. `replace` at the stored version with the stored content is `stale`.
   * @throws StoreUnavailable when it may be repeated as a whole, StorageFailed when an operator must act.
   */
  write(writes: readonly DocumentWrite[], signal?: AbortSignal): Promise<readonly WriteOutcome[]>;

  /** Documents by id, tombstones included, in the order asked; undefined for unknown ids. Sees every write that has resolved, unless told. */
  read(
    ids: readonly DocumentId[],
    options?: ReadOptions,
    signal?: AbortSignal,
  ): Promise<readonly (StoredDocument | undefined)[]>;

  /**
   * Runs the legs that are given. Tenant, ACL and filter hold in each leg, before ranking (I10). Sees at least what was written before the
   * last `advance` that is stored; `progress` tells which that is.
   */
  search(query: StoreQuery, signal?: AbortSignal): Promise<StoreReply>;

  /** What `search` finds, fused; best first. Only what is returned has to be read whole. */
  best(query: StoreQuery, fusion: Fusion, signal?: AbortSignal): Promise<readonly Hit[]>;

  /**
   * Vectors by `vectorKey`, from any live passage that has one, in the order asked: a renamed, moved or duplicated text is not
   * embedded again (I7). Best effort: undefined costs work only.
   */
  vectors(vectorKeys: readonly string[], signal?: AbortSignal): Promise<readonly (Float32Array | undefined)[]>;

  /**
   * Resolves when every write that had resolved is found by searches, sooner than the index would come to it by itself. @throws
   * StoreUnavailable; the writes stay.
   */
  searchable(signal?: AbortSignal): Promise<void>;

  /** How far the index is, and how much of it has vectors. */
  progress(signal?: AbortSignal): Promise<StoreProgress>;

  /** Ids, versions and content hashes in id order, a page at a time: for reconciliation and status. */
  list(request: ListRequest, signal?: AbortSignal): Promise<readonly DocumentSummary[]>;
}
