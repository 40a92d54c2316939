import { eventLoopTurn, type Clock } from '../../../runtime/clock.ts';
import { DocumentRefused, FreshetError } from '../../../runtime/errors.ts';
import type { DocumentId } from '../../../schemas/ids.ts';
import { parseDocumentId } from '../../../schemas/ids.ts';
import type { SourceVersion } from '../../../schemas/version.ts';
import type { Sqlite, Statement } from '../../sqlite.ts';
import { whenFree } from '../../when-free.ts';
import type {
  AttachVectors,
  DocumentWrite,
  RemoveBelowVersion,
  RemoveDocument,
  ReplaceDocument,
  TouchDocument,
  WriteOutcome,
} from '../document-store.ts';
import { DocumentRows, type Head } from './document-rows.ts';
import { Floors, idRange } from './floors.ts';
import type { Positions } from './positions.ts';
import { MAX_PASSAGES } from './schema.ts';
import { documentFault, vectorsFault } from '../document-fault.ts';
import { isName } from '../is-name.ts';
import { positionFault } from '../lane-positions.ts';

/**
 * Passages that one transaction writes: about 30 ms of one core. Between two, the event loop runs. Smaller slices leave more
 * full-text segments to merge: 256 cost a fifth of the throughput.
 */
const SLICE_PASSAGES = 512;
/** Documents that one transaction removes for a range tombstone. */
const SLICE_DOCUMENTS = 128;

interface CountChange {
  documents: number;
  passages: number;
  vectors: number;
}

const APPLIED: WriteOutcome = { kind: 'applied' };

/** Applies writes in order, every one of them whole or not at all. Durable they are only when the file is flushed. */
export class WriteApplier {
  readonly #db: Sqlite;
  readonly #clock: Clock;
  readonly #dimensions: number;
  readonly #rows: DocumentRows;
  readonly #floors: Floors;
  readonly #positions: Positions;
  readonly #addCounts: Statement<object>;
  readonly #counts = new Map<string, CountChange>();

  constructor(db: Sqlite, clock: Clock, dimensions: number, positions: Positions) {
    this.#db = db;
    this.#clock = clock;
    this.#dimensions = dimensions;
    this.#rows = new DocumentRows(db);
    this.#floors = new Floors(db);
    this.#positions = positions;
    this.#addCounts = db.prepare(
      `INSERT INTO counts (source, documents, passages, vectors) VALUES (?, ?, ?, ?) ON CONFLICT (source) DO UPDATE SET
         documents = documents + excluded.documents, passages = passages + excluded.passages, vectors = vectors + excluded.vectors`,
    );
  }

  async apply(writes: readonly DocumentWrite[], signal?: AbortSignal): Promise<readonly WriteOutcome[]> {
    const outcomes: WriteOutcome[] = [];
    for (let from = 0; from < writes.length;) {
      signal?.throwIfAborted();
      const to = sliceEnd(writes, from);
      const slice = writes.slice(from, to);
      outcomes.push(...(await whenFree(this.#clock, () => this.#applySlice(slice))));
      const last = slice.at(-1);
      if (last?.kind === 'remove-below') await this.#removeBelow(last, outcomes, signal);
      if (to < writes.length) await this.#yield();
      from = to;
    }
    return outcomes;
  }

  async #yield(): Promise<void> {
    if (!this.#db.isMemory) await eventLoopTurn();
  }

  #applySlice(slice: readonly DocumentWrite[]): WriteOutcome[] {
    const run = (apply: (write: DocumentWrite) => WriteOutcome): WriteOutcome[] =>
      this.#transaction(() => slice.map(apply));
    try {
      return run((write) => this.#apply(write));
    } catch (error) {
      if (error instanceof FreshetError) throw error;
      // SQLite refused a value. Savepoints for every write would cost each good one; so only now, to find the bad one.
      return run((write) => this.#applyAlone(write));
    }
  }

  #applyAlone(write: DocumentWrite): WriteOutcome {
    const before = new Map(Array.from(this.#counts, ([source, change]) => [source, { ...change }]));
    try {
      return this.#db.savepoint(() => {
        const outcome = this.#apply(write);
        this.#rows.flush();
        return outcome;
      });
    } catch (error) {
      this.#rows.forget();
      if (error instanceof FreshetError || !this.#db.isTransaction) throw error;
      this.#counts.clear();
      for (const [source, change] of before) this.#counts.set(source, change);
      const name = (error as { sqliteCodeName?: string }).sqliteCodeName ?? (error as Error).name;
      return refused(new DocumentRefused(`the index cannot store this document (${name})`, { cause: error }));
    }
  }

  #apply(write: DocumentWrite): WriteOutcome {
    switch (write.kind) {
      case 'replace':
        return this.#replace(write);
      case 'remove':
        return this.#remove(write);
      case 'touch':
        return this.#touch(write);
      case 'attach-vectors':
        return this.#attach(write);
      case 'remove-below': {
        const { source, table } = write;
        if (this.#floors.ask(write) === 'stale') return stale(this.#floors.floor(source, table));
        return APPLIED;
      }
      case 'advance': {
        const error = positionFault(write);
        if (error) return refused(error);
        return this.#positions.advance(write) ? APPLIED : stale(0n as SourceVersion);
      }
    }
  }

  #replace(write: ReplaceDocument): WriteOutcome {
    const { document, passages, vectors } = write;
    const error = documentFault(write, { dimensions: this.#dimensions, maxPassages: MAX_PASSAGES });
    if (error) return refused(error);
    const newer = this.#newer(document.id, document.version);
    if ('kind' in newer) return newer;
    if (newer.head) this.#delete(newer.head);
    this.#rows.insert(write, this.#clock.now());
    const withVector = vectors.reduce((count, vector) => count + (vector ? 1 : 0), 0);
    this.#count(document.source.name, 1, passages.length, withVector);
    return APPLIED;
  }

  #remove(write: RemoveDocument): WriteOutcome {
    const newer = this.#newer(write.id, write.version);
    if ('kind' in newer) return newer;
    if (newer.head) this.#delete(newer.head);
    this.#rows.insertTombstone(write, newer.head?.tenant ?? '', this.#clock.now());
    return APPLIED;
  }

  #touch(write: TouchDocument): WriteOutcome {
    const newer = this.#newer(write.id, write.version);
    if ('kind' in newer) return newer;
    const { head } = newer;
    if (!head) return stale(0n as SourceVersion);
    if (head.deleted === 1n || head.content_hash !== write.contentHash) return stale(head.version);
    this.#rows.touch(head, write, this.#clock.now());
    return APPLIED;
  }

  #attach(write: AttachVectors): WriteOutcome {
    const head = this.#rows.head(write.id);
    if (!head || head.version !== write.version || head.deleted === 1n)
      return stale(head?.version ?? (0n as SourceVersion));
    const error = vectorsFault(
      write.vectors.map(({ vector }) => vector),
      this.#dimensions,
    );
    if (error) return refused(error);
    const added = this.#rows.attach(head, write.vectors);
    if (added === 0) return stale(head.version);
    this.#count(head.source, 0, 0, added);
    return APPLIED;
  }

  /** The stored version of a document, or the outcome when this one is not newer. */
  #newer(id: DocumentId, version: SourceVersion): WriteOutcome | { readonly head: Head | undefined } {
    const head = this.#rows.head(id);
    if (head && head.version >= version) return stale(head.version);
    const key = parseDocumentId(id);
    if (!key || !isName(id)) return refused(new DocumentRefused('the id of the document is not one'));
    const floor = this.#floors.floor(key.source, key.table);
    return floor > version ? stale(floor) : { head };
  }

  /** Removes what lies below an effective floor, a slice at a time: a table may be large. */
  async #removeBelow(write: RemoveBelowVersion, outcomes: WriteOutcome[], signal?: AbortSignal): Promise<void> {
    const range = idRange(write.source, write.table);
    for (;;) {
      signal?.throwIfAborted();
      const removed = await whenFree(this.#clock, () =>
        this.#transaction(() => {
          const floor = this.#floors.floor(write.source, write.table);
          const heads = this.#rows.below(range, floor, SLICE_DOCUMENTS);
          for (const head of heads) this.#delete(head);
          return heads.length;
        }),
      );
      // A repeat after a crash finds the floor in place and documents still there: then it has done something.
      if (removed > 0) outcomes[outcomes.length - 1] = APPLIED;
      if (removed < SLICE_DOCUMENTS) return;
      await this.#yield();
    }
  }

  #delete(head: Head): void {
    this.#rows.delete(head);
    if (head.deleted === 0n) this.#count(head.source, -1, -Number(head.passages), -Number(head.vectors));
  }

  #count(source: string, documents: number, passages: number, vectors: number): void {
    const change = this.#counts.get(source);
    if (!change) this.#counts.set(source, { documents, passages, vectors });
    else {
      change.documents += documents;
      change.passages += passages;
      change.vectors += vectors;
    }
  }

  #transaction<T>(work: () => T): T {
    return this.#db.transaction(() => {
      this.#counts.clear();
      this.#rows.forget();
      const result = work();
      this.#rows.flush();
      for (const [source, { documents, passages, vectors }] of this.#counts)
        this.#addCounts.run(source, documents, passages, vectors);
      return result;
    });
  }
}

function stale(version: SourceVersion): WriteOutcome {
  return { kind: 'stale', version };
}

function refused(error: FreshetError): WriteOutcome {
  return { kind: 'refused', error };
}

/** Where a slice ends: before it holds too many passages, and after a range tombstone, whose removals follow it. */
function sliceEnd(writes: readonly DocumentWrite[], from: number): number {
  let passages = 0;
  for (let i = from; i < writes.length; i++) {
    const write = writes[i];
    if (write?.kind === 'remove-below') return i + 1;
    passages += write?.kind === 'replace' ? write.passages.length + 1 : 1;
    if (passages > SLICE_PASSAGES && i > from) return i;
  }
  return writes.length;
}
