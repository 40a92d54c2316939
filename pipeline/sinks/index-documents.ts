import type {
  AdvancePosition,
  DocumentStore,
  DocumentWrite,
  WriteOutcome,
} from '../../ports/document-store/document-store.ts';
import type { Clock } from '../../runtime/clock.ts';
import { classify, StoreUnavailable } from '../../runtime/errors.ts';
import type { Metrics } from '../../runtime/metrics.ts';
import type { Lineage } from '../../schemas/document.ts';
import { POSITION_BITS, type SourceVersion } from '../../schemas/version.ts';
import type { Sink, Written } from '../stage.ts';
import type { EmbeddedChange, EmbeddedContent } from '../stages/embed.ts';
import type { DeferredDocument, DeferredQueue } from './deferred-vectors.ts';

export interface IndexSinkOptions {
  readonly store: DocumentStore;
  readonly deferred: DeferredQueue;
  readonly chunker: string;
  readonly embedderFingerprint: string;
  readonly clock: Clock;
  readonly metrics: Metrics;
}

interface Planned {
  readonly index: number;
  readonly write: DocumentWrite;
}

/**
 * Writes documents, removals and positions to the index. Documents of a batch go before its positions: the index may be newer than
 * it claims, never older (I11). Vectors are asked for only after their documents are stored, or the asking could overtake them.
 */
export function indexDocuments(options: IndexSinkOptions): Sink<EmbeddedChange> {
  const { store, deferred, clock, metrics } = options;
  return {
    name: 'index-documents',
    async write(changes, signal) {
      const claims = changes.some((change) => positionOf(change).length > 0);
      const behind = claims && (await deferred.mayBeBehind(signal));
      const defers = changes.some((change) => missesVectors(change));
      const { documents, positions } = plan(changes, options, !behind && !defers);
      const results = new Map<number, Written>();
      // In two writes: a document that has to be compared anew throws, and nothing may be claimed before it is there.
      await writeAll(documents, results, signal);
      await writeAll(positions, results, signal);
      const asked = changes.flatMap((change, index) =>
        missesVectors(change) && results.get(index)?.kind !== 'reject' ? [deferredDocument(change)] : [],
      );
      await deferred.append(asked, behind || defers ? changes.flatMap(positionOf) : [], signal);
      return changes.map((_, index) => results.get(index) ?? { kind: 'written', outcome: 'passed' });
    },
  };

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
    observeFreshness(planned, outcomes);
  }

  function observeFreshness(written: readonly Planned[], outcomes: readonly WriteOutcome[]): void {
    const now = clock.now();
    written.forEach(({ write }, place) => {
      const change =
        write.kind === 'replace'
          ? write.document
          : write.kind === 'touch' || write.kind === 'remove'
            ? write
            : undefined;
      if (!change || outcomes[place]?.kind !== 'applied' || isSnapshotRead(change.version)) return;
      const source = change.id.slice(0, change.id.indexOf('/'));
      metrics.freshness.observe({ source, level: 'searchable' }, Math.max(0, now - change.committedAt) / 1000);
    });
  }
}

/** A snapshot read has position 0 in its epoch; its commit may lie years back and says nothing about freshness. */
function isSnapshotRead(version: SourceVersion): boolean {
  return (version & ((1n << POSITION_BITS) - 1n)) === 0n;
}

/**
 * Documents, then range tombstones, then positions. Versions decide, so the order is free; this one never removes a document that
 * the same batch brings in a newer version, and never claims what is not written.
 */
function plan(
  changes: readonly EmbeddedChange[],
  options: IndexSinkOptions,
  complete: boolean,
): { readonly documents: readonly Planned[]; readonly positions: readonly Planned[] } {
  const documents: Planned[] = [];
  const ranges: Planned[] = [];
  const positions: Planned[] = [];
  changes.forEach((change, index) => {
    if (change.kind === 'chunked') documents.push({ index, write: replacement(change, options) });
    else if (change.kind === 'ready' && change.write.kind === 'remove-below')
      ranges.push({ index, write: change.write });
    else if (change.kind === 'ready' && change.write.kind === 'advance') {
      positions.push({ index, write: change.write });
      if (complete) positions.push({ index, write: { ...change.write, level: 'complete' } });
    } else if (change.kind === 'ready') documents.push({ index, write: change.write });
  });
  return { documents: [...documents, ...ranges], positions };
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
  else if (write.kind !== 'advance')
    results.set(index, { kind: 'written', outcome: outcome?.kind === 'stale' ? 'superseded' : 'indexed' });
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

function positionOf(change: EmbeddedChange): { readonly advance: AdvancePosition; readonly partition: number }[] {
  return change.kind === 'ready' && change.write.kind === 'advance'
    ? [{ advance: change.write, partition: change.partition }]
    : [];
}
