import { LRUCache } from 'lru-cache';
import type { Log } from '../../ports/log/log.ts';
import type { DocumentId } from '../../schemas/ids.ts';
import { DOCUMENTS_TOPIC } from '../../schemas/topics.ts';
import type { SourceVersion } from '../../schemas/version.ts';
import { versionOf } from '../records.ts';
import { drop, emit, type Stage, type Verdict } from '../stage.ts';
import type { DecodedChange } from './decode-change.ts';

/** Versions of about 100,000 documents in 20 MB: the working set of a backfill beside its live changes. */
const REMEMBERED_DOCUMENTS = 100_000;

export interface Dedupe extends Stage<DecodedChange, DecodedChange> {
  /** Tells that changes are durable in `freshet.documents`. Not before: a batch that failed comes again and must not look like a duplicate. */
  appended(changes: readonly DecodedChange[]): void;
}

/**
 * Drops changes that `freshet.documents` already holds in the same or a newer version. By version of the document, never by
 * position alone: all rows of a COPY share one position. An optimisation in front of versioned writes, and what keeps the newest
 * record of a key the newest version, on which a rebuild from the compacted topic relies.
 */
export function dedupe(log: Log): Dedupe {
  // By size: a limit by count allocates all its places at once, 3 MB that a small installation never fills.
  const newest = new LRUCache<DocumentId, SourceVersion>({ maxSize: REMEMBERED_DOCUMENTS, sizeCalculation: () => 1 });

  async function lookUp(
    changes: readonly DecodedChange[],
    signal: AbortSignal,
  ): Promise<Map<DocumentId, SourceVersion>> {
    const versions = new Map<DocumentId, SourceVersion>();
    const unknown = new Set<DocumentId>();
    for (const { change } of changes) {
      if (change.kind !== 'document' && change.kind !== 'tombstone') continue;
      const version = newest.get(change.id);
      if (version === undefined) unknown.add(change.id);
      else versions.set(change.id, version);
    }
    const ids = [...unknown];
    const records = ids.length === 0 ? [] : await log.latest(DOCUMENTS_TOPIC, ids, signal);
    ids.forEach((id, index) => {
      const record = records[index];
      const version = record && versionOf(record);
      if (version !== undefined) versions.set(id, version);
    });
    return versions;
  }

  return {
    name: 'dedupe',
    async run(changes, signal) {
      const versions = await lookUp(changes, signal);
      return changes.map((decoded): Verdict<DecodedChange> => {
        const { change } = decoded;
        if (change.kind !== 'document' && change.kind !== 'tombstone') return emit(decoded);
        const version = versions.get(change.id);
        if (version === change.version) return drop('duplicate');
        if (version !== undefined && version > change.version) return drop('superseded');
        versions.set(change.id, change.version);
        return emit(decoded);
      });
    },
    appended(changes) {
      for (const { change } of changes) {
        if (change.kind === 'document' || change.kind === 'tombstone') newest.set(change.id, change.version);
      }
    },
  };
}
