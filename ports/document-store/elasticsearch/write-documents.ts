import { DocumentTooLarge, FreshetError, StoreUnavailable } from '../../../runtime/errors.ts';
import { retryDelayMs } from '../../../runtime/retry.ts';
import type { DocumentId } from '../../../schemas/ids.ts';
import type { SourceVersion } from '../../../schemas/version.ts';
import type { WriteOutcome } from '../document-store.ts';
import { bulkVerdicts, type BulkItem, type BulkVerdict } from './bulk-verdict.ts';
import { BulkWindow } from './bulk-window.ts';
import { classifyFailure } from './classify.ts';
import type { Connection } from './connection.ts';
import { decideWrites, idOf, stale, type Change, type OneDocumentWrite } from './decide-writes.ts';
import { storedId } from './document-body.ts';
import { tableKeyOf, type EffectiveFloors } from './floors.ts';
import type { FoundForWrite, ReadForWrite } from './read-for-write.ts';

/** How a generation is written to. */
export interface DocumentWriterOptions {
  readonly index: string;
  readonly dimensions: number;
  /** Largest bulk request, bytes. */
  readonly maxBulkBytes: number;
  /** Hears of the bytes of every request that was taken. */
  readonly written: (bytes: number) => void;
}

/** Documents of one round: read together, decided, sent in as many bulk requests as their bytes need. */
const ROUND_DOCUMENTS = 256;
/** Documents that are read whole in one request, because vectors are to be attached. */
const ROUND_WHOLE_DOCUMENTS = 32;
/** Rounds in which Elasticsearch was not available; with these delays they take about half a minute. */
const MAX_UNAVAILABLE_ROUNDS = 8;
/** Rounds in which others were faster. Each of them means that one of them went on. */
const MAX_CONFLICT_ROUNDS = 64;
const UNAVAILABLE_DELAYS = { minDelayMs: 100, maxDelayMs: 10_000 };
const CONFLICT_DELAYS = { minDelayMs: 2, maxDelayMs: 200 };
const TARGET_BULK_MS = 2_000;

/** The writes of one document in one call, and what has been tried of them. */
interface Pending {
  readonly id: DocumentId;
  readonly writes: readonly OneDocumentWrite[];
  /** What each attempt would mean, by the mark that it leaves in the document: a lost reply is told from another's write by it. */
  readonly attempts: Map<string, readonly WriteOutcome[]>;
}

/** An item of a bulk request. */
interface Item {
  readonly pending: Pending;
  readonly outcomes: readonly WriteOutcome[];
  readonly lines: readonly string[];
  readonly bytes: number;
}

/**
 * Writes documents: reads what is stored of each, decides, and writes on the condition that it still is what was read (`if_seq_no`, or
 * `create`). Elasticsearch thus never takes a write that was decided on something else: neither a late one, nor one that is repeated
 * because its reply was lost.
 */
export class DocumentWriter {
  readonly #connection: Connection;
  readonly #read: ReadForWrite;
  readonly #options: DocumentWriterOptions;
  readonly #window: BulkWindow;
  readonly #marks: () => string;

  constructor(connection: Connection, read: ReadForWrite, marks: () => string, options: DocumentWriterOptions) {
    this.#connection = connection;
    this.#read = read;
    this.#marks = marks;
    this.#options = options;
    this.#window = new BulkWindow({ maxBytes: options.maxBulkBytes, targetMs: TARGET_BULK_MS });
  }

  /**
   * Applies writes, those of one document in their order. Durable when it resolves.
   * @returns outcomes in the order of the writes. @throws StoreUnavailable, StorageFailed; some may have been applied.
   */
  async apply(writes: readonly OneDocumentWrite[], signal?: AbortSignal): Promise<WriteOutcome[]> {
    const places = new Map<DocumentId, number[]>();
    writes.forEach((write, i) => {
      const id = idOf(write);
      const known = places.get(id);
      if (known) known.push(i);
      else places.set(id, [i]);
    });
    const outcomes = new Map<DocumentId, readonly WriteOutcome[]>();
    const groups = Array.from(places, ([id, at]): Pending => {
      return { id, writes: at.flatMap((i) => writes[i] ?? []), attempts: new Map() };
    });
    await this.#inRounds(groups, outcomes, signal);
    await this.#heedNewFloors(groups, outcomes, signal);
    const inOrder = Array.from(writes, () => stale(ZERO));
    for (const [id, at] of places) at.forEach((i, place) => (inOrder[i] = outcomes.get(id)?.[place] ?? stale(ZERO)));
    return inOrder;
  }

  /** Erases what lies below a range tombstone. @returns how many documents it erased. */
  async erase(ids: readonly DocumentId[], signal?: AbortSignal): Promise<number> {
    const erased = new Map<DocumentId, readonly WriteOutcome[]>();
    const groups = ids.map((id): Pending => ({ id, writes: [], attempts: new Map() }));
    await this.#inRounds(groups, erased, signal);
    return groups.filter(({ attempts }) => attempts.size > 0).length;
  }

  async #inRounds(
    groups: readonly Pending[],
    outcomes: Map<DocumentId, readonly WriteOutcome[]>,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const light = groups.filter((group) => !needsWhole(group));
    const heavy = groups.filter(needsWhole);
    for (let i = 0; i < light.length; i += ROUND_DOCUMENTS)
      await this.#settle(light.slice(i, i + ROUND_DOCUMENTS), outcomes, signal);
    for (let i = 0; i < heavy.length; i += ROUND_WHOLE_DOCUMENTS)
      await this.#settle(heavy.slice(i, i + ROUND_WHOLE_DOCUMENTS), outcomes, signal);
  }

  /** Repeats rounds until every document is settled. */
  async #settle(
    groups: readonly Pending[],
    outcomes: Map<DocumentId, readonly WriteOutcome[]>,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    let open = groups;
    for (let unavailable = 0, conflicts = 0; ;) {
      const { left, error } = await this.#round(open, outcomes, signal);
      if (left.length === 0) return;
      open = left;
      if (error) {
        if (++unavailable >= MAX_UNAVAILABLE_ROUNDS) throw error;
        this.#connection.countRetry('write documents', error);
        const delayMs = Math.max(this.#delayMs(unavailable, UNAVAILABLE_DELAYS), (error.retryAfterSeconds ?? 0) * 1000);
        this.#connection.logger[delayMs >= 1_000 ? 'warn' : 'debug']('Will write documents again after a delay.', {
          documents: left.length,
          attempt: unavailable,
          delayMs: Math.round(delayMs),
          code: error.code,
        });
        await this.#connection.clock.sleep(delayMs, signal);
      } else {
        if (++conflicts >= MAX_CONFLICT_ROUNDS)
          throw new StoreUnavailable('Documents changed as often as they were read to be written.');
        if (conflicts > 1) await this.#connection.clock.sleep(this.#delayMs(conflicts, CONFLICT_DELAYS), signal);
      }
    }
  }

  #delayMs(attempt: number, delays: typeof UNAVAILABLE_DELAYS): number {
    return retryDelayMs(attempt, { ...delays, random: this.#connection.random });
  }

  /** Reads, decides and writes once. @returns what has to be done again, with the error where it was not another writer. */
  async #round(
    groups: readonly Pending[],
    outcomes: Map<DocumentId, readonly WriteOutcome[]>,
    signal: AbortSignal | undefined,
  ): Promise<{ readonly left: readonly Pending[]; readonly error?: FreshetError }> {
    const { documents, floors } = await this.#read(
      groups.map(({ id }) => id),
      groups.some(needsWhole),
      signal,
    );
    const items = groups.flatMap((pending, i) => {
      const found = documents[i];
      // What an earlier attempt left in the document: it was applied, only its reply was lost.
      const applied = found && pending.attempts.get(found.mark);
      if (applied) outcomes.set(pending.id, applied);
      return applied ? [] : (this.#decide(pending, found, floors, outcomes) ?? []);
    });
    const left: Pending[] = [];
    let error: FreshetError | undefined;
    for (let from = 0; from < items.length;) {
      const to = this.#requestEnd(items, from);
      const sent = items.slice(from, to);
      const verdicts = await this.#send(sent, signal);
      for (const [i, { pending, outcomes: decided }] of sent.entries()) {
        const verdict = verdicts[i] ?? { kind: 'conflict' };
        if (verdict.kind === 'stored') outcomes.set(pending.id, decided);
        else if (verdict.kind === 'refused') outcomes.set(pending.id, instead(decided, verdict.error));
        else if (verdict.kind === 'failed') throw verdict.error;
        else left.push(pending);
        if (verdict.kind === 'again') error = longest(error, verdict.error);
      }
      from = to;
    }
    return { left, ...(error && { error }) };
  }

  /** The item that makes the writes of a document come true; undefined, with its outcomes set, when there is nothing to store. */
  #decide(
    pending: Pending,
    found: FoundForWrite | undefined,
    floors: EffectiveFloors,
    outcomes: Map<DocumentId, readonly WriteOutcome[]>,
  ): Item | undefined {
    const { id, writes, attempts } = pending;
    const floor = floors.get(tableKeyOf(id) ?? '') ?? ZERO;
    const now = this.#connection.clock.now();
    const decision = decideWrites(id, found, writes, { floor, dimensions: this.#options.dimensions, now });
    if (decision.change.kind === 'none') {
      outcomes.set(id, decision.outcomes);
      return undefined;
    }
    const mark = this.#marks();
    attempts.set(mark, decision.outcomes);
    const lines = itemLines(id, found, decision.change, mark);
    const bytes = lines.reduce((sum, line) => sum + Buffer.byteLength(line) + 1, 0);
    return { pending, outcomes: decision.outcomes, lines, bytes };
  }

  #requestEnd(items: readonly Item[], from: number): number {
    let bytes = 0;
    for (let i = from; i < items.length; i++) {
      bytes += items[i]?.bytes ?? 0;
      if (bytes > this.#window.bytes && i > from) return i;
    }
    return items.length;
  }

  /** Sends one bulk request; a failure of the whole request is a verdict on each of its items. */
  async #send(items: readonly Item[], signal: AbortSignal | undefined): Promise<BulkVerdict[]> {
    const { clock } = this.#connection;
    const bytes = items.reduce((sum, item) => sum + item.bytes, 0);
    const startedMs = clock.monotonicMs();
    try {
      const reply = await this.#connection.once<{ readonly items: readonly BulkItem[] }>(
        {
          method: 'POST',
          path: `/${this.#options.index}/_bulk`,
          query: { timeout: '20s', filter_path: 'items.*.status,items.*.error.type,items.*.error.reason' },
          body: items.flatMap(({ lines }) => lines),
        },
        signal,
      );
      this.#options.written(bytes);
      const verdicts = bulkVerdicts(reply.items, items.length);
      if (verdicts.some(({ kind }) => kind === 'again')) this.#window.refused();
      else this.#window.taken(bytes, clock.monotonicMs() - startedMs);
      return verdicts;
    } catch (thrown) {
      const error = classifyFailure(thrown, signal);
      if (!(error instanceof FreshetError)) throw error;
      this.#window.refused();
      if (error instanceof DocumentTooLarge)
        // Only a request of one document says that the document is too large; others are cut smaller.
        return items.map(() => (items.length === 1 ? { kind: 'refused', error } : { kind: 'again', error }));
      if (error.fate !== 'retry') throw error;
      return items.map(() => ({ kind: 'again', error }));
    }
  }

  /**
   * A range tombstone may have come between the reading of the floors and the write. Its sweep sees what was written before it was stored;
   * what was written after it is undone here. So neither misses what the other does not find.
   */
  async #heedNewFloors(
    groups: readonly Pending[],
    outcomes: Map<DocumentId, readonly WriteOutcome[]>,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const written = groups.filter(({ attempts }) => attempts.size > 0);
    if (written.length === 0) return;
    const { floors } = await this.#read([], false, signal);
    const below = written.filter(({ id, writes }) => {
      const floor = floors.get(tableKeyOf(id) ?? '') ?? ZERO;
      return outcomes.get(id)?.some((outcome, i) => outcome.kind === 'applied' && versionOf(writes[i]) < floor);
    });
    if (below.length === 0) return;
    await this.erase(
      below.map(({ id }) => id),
      signal,
    );
    for (const { id, writes } of below) {
      const floor = floors.get(tableKeyOf(id) ?? '') ?? ZERO;
      const undone = outcomes.get(id)?.map((outcome, i) => {
        return outcome.kind === 'applied' && versionOf(writes[i]) < floor ? stale(floor) : outcome;
      });
      outcomes.set(id, undone ?? []);
    }
  }
}

const ZERO = 0n as SourceVersion;

function needsWhole({ writes }: Pending): boolean {
  return writes.some(({ kind }) => kind === 'attach-vectors');
}

function versionOf(write: OneDocumentWrite | undefined): SourceVersion {
  return (write?.kind === 'replace' ? write.document.version : write?.version) ?? ZERO;
}

/** The two lines of a bulk item, on the condition that the document still is what was read. */
function itemLines(id: DocumentId, found: FoundForWrite | undefined, change: Change, mark: string): string[] {
  const _id = storedId(id);
  if (change.kind === 'none') return [];
  if (!found)
    return change.kind === 'put'
      ? [JSON.stringify({ create: { _id } }), JSON.stringify({ ...change.body, write: mark })]
      : [];
  const condition = { _id, if_seq_no: found.seqNo, if_primary_term: found.primaryTerm };
  if (change.kind === 'put')
    return [JSON.stringify({ index: condition }), JSON.stringify({ ...change.body, write: mark })];
  // The passages stay where they are: neither texts nor vectors travel.
  return [JSON.stringify({ update: condition }), JSON.stringify({ doc: { ...change.fields, write: mark } })];
}

/** What would have been applied is refused; what was decided otherwise stays. */
function instead(outcomes: readonly WriteOutcome[], error: FreshetError): WriteOutcome[] {
  return outcomes.map((outcome) => (outcome.kind === 'applied' ? { kind: 'refused', error } : outcome));
}

function longest(a: FreshetError | undefined, b: FreshetError): FreshetError {
  return a && (a.retryAfterSeconds ?? 0) >= (b.retryAfterSeconds ?? 0) ? a : b;
}
