import type { DocumentStore, DocumentWrite, WriteOutcome } from '../../ports/document-store/document-store.ts';
import { positionFault } from '../../ports/document-store/lane-positions.ts';
import { classify, StoreUnavailable } from '../../runtime/errors.ts';
import type { Lineage } from '../../schemas/document.ts';
import { isSnapshotVersion } from '../../schemas/version.ts';
import type { Sink, Written } from '../stage.ts';
import type { EmbeddedChange, EmbeddedContent } from '../stages/embed.ts';
import type { DeferredDocument, DeferredQueue, PassedPosition } from './deferred-vectors.ts';
import { observeFreshness, type FreshChange, type FreshnessOptions } from './observe-freshness.ts';

export interface IndexSinkOptions extends FreshnessOptions {
  readonly store: DocumentStore;
  readonly deferred: DeferredQueue;
  readonly chunker: string;
  readonly embedderFingerprint: string;
}

interface Planned {
  readonly index: number;
  readonly write: DocumentWrite;
}

/**
 * Writes documents and removals to the index, and claims positions after them: the index may be newer than it claims, never older (I11).
 * A claim waits until everything before it can be searched, and what follows does not wait for the claim. Vectors are asked for only
 * after their documents are stored, or the asking could overtake them.
 */
export function indexDocuments(options: IndexSinkOptions): Sink<EmbeddedChange> {
  const { store, deferred } = options;
  return {
    name: 'index-documents',
    async write(changes, signal, later) {
      const results = new Map<number, Written>();
      // A document that has to be compared anew throws: nothing is claimed before it is there.
      await writeAll(plan(changes, options), results, signal);
      const asked = changes.flatMap((change, index) =>
        missesVectors(change) && results.get(index)?.kind !== 'reject' ? [deferredDocument(change)] : [],
      );
      await deferred.append(asked, [], signal);
      const positions = readablePositions(changes, results);
      if (positions.length > 0) later((claiming) => claim(positions, claiming));
      return changes.map((_, index) => results.get(index) ?? { kind: 'written', outcome: 'passed' });
    },
  };

  async function claim(positions: readonly PassedPosition[], signal: AbortSignal): Promise<void> {
    const behind = await deferred.mayBeBehind(signal);
    const levels = behind ? (['searchable'] as const) : (['searchable', 'complete'] as const);
    await store.write(
      positions.flatMap(({ advance }) => levels.map((level) => ({ ...advance, level }))),
      signal,
    );
    if (behind) await deferred.append([], positions, signal);
  }

  async function writeAll(
    planned: readonly Planned[],
    results: Map<number, Written>,
    signal: AbortSignal,
  ): Promise<void> {
    if (planned.length === 0) return;
    const outcomes = await store.write(
      planned.map(({ write }) => write),
      signal,
    );
    planned.forEach(({ index, write }, place) => settle(results, index, write, outcomes[place]));
    observeFreshness(liveChanges(planned, outcomes), 'searchable', options, signal);
  }
}

/** Without the rows of a backfill: they are found when the index comes to it. */
function liveChanges(written: readonly Planned[], outcomes: readonly WriteOutcome[]): readonly FreshChange[] {
  return written.flatMap(({ write }, place) => {
    const change =
      write.kind === 'replace' ? write.document : write.kind === 'touch' || write.kind === 'remove' ? write : undefined;
    // When a row was committed that is read for a snapshot may lie years back, and says nothing about freshness.
    if (!change || outcomes[place]?.kind !== 'applied' || isSnapshotVersion(change.version)) return [];
    return [{ source: change.id.slice(0, change.id.indexOf('/')), committedAt: change.committedAt }];
  });
}

/**
 * Documents, then range tombstones. Versions decide, so the order is free; this one never removes a document that the same batch brings
 * in a newer version.
 */
function plan(changes: readonly EmbeddedChange[], options: IndexSinkOptions): readonly Planned[] {
  const documents: Planned[] = [];
  const ranges: Planned[] = [];
  changes.forEach((change, index) => {
    if (change.kind === 'chunked') documents.push({ index, write: replacement(change, options) });
    else if (change.kind === 'ready' && change.write.kind === 'remove-below')
      ranges.push({ index, write: change.write });
    else if (change.kind === 'ready' && change.write.kind !== 'advance') documents.push({ index, write: change.write });
  });
  return [...documents, ...ranges];
}

/** The positions of a batch; one that no store could compare is rejected here. */
function readablePositions(changes: readonly EmbeddedChange[], results: Map<number, Written>): PassedPosition[] {
  return changes.flatMap((change, index) => {
    if (change.kind !== 'ready' || change.write.kind !== 'advance') return [];
    const { write: advance, partition } = change;
    const error = positionFault(advance);
    if (!error) return [{ advance, partition }];
    results.set(index, { kind: 'reject', error });
    return [];
  });
}

function replacement(change: EmbeddedContent, { chunker, embedderFingerprint }: IndexSinkOptions): DocumentWrite {
  const { document, text, passages, vectors, contentHash } = change;
  const lineage: Lineage = { chunker, piiPolicy: document.piiPolicy ?? 'off', embedder: embedderFingerprint };
  return { kind: 'replace', document, text, passages, vectors, lineage, contentHash };
}

function settle(
  results: Map<number, Written>,
  index: number,
  write: DocumentWrite,
  outcome: WriteOutcome | undefined,
): void {
  // The document changed between compare and write: another worker took the partition over. The batch is compared anew. A document
  // that is there in the same version already may have been stored without the vectors that this worker has.
  const isOvertaken =
    outcome?.kind === 'stale' &&
    ((write.kind === 'touch' && outcome.version < write.version) ||
      (write.kind === 'replace' && outcome.version === write.document.version));
  if (isOvertaken) throw new StoreUnavailable('A document changed while it was being compared.');
  if (outcome?.kind === 'refused') results.set(index, { kind: 'reject', error: classify(outcome.error) });
  else results.set(index, { kind: 'written', outcome: outcome?.kind === 'stale' ? 'superseded' : 'indexed' });
}

function missesVectors(change: EmbeddedChange): boolean {
  if (change.kind === 'chunked') return change.passages.some((_, ordinal) => !change.vectors[ordinal]);
  return change.kind === 'ask-again' || change.missesVectors;
}

function deferredDocument(change: EmbeddedChange): DeferredDocument {
  const { partition } = change;
  if (change.kind === 'chunked') return { id: change.document.id, version: change.document.version, partition };
  if (change.kind === 'ask-again') return change;
  if (change.write.kind !== 'touch') throw new TypeError(`a write of kind ${change.write.kind} has no vectors`);
  return { id: change.write.id, version: change.write.version, partition };
}
