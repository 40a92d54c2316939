/** The state of one page that a committed change left, or (without `revision`) that it is gone. */
export interface PageChange {
  readonly id: string;
  /** Grows with every change of a page, in the order in which they commit. */
  readonly seq: number;
  readonly revision: number | undefined;
}

export type Violation = 'lost' | 'resurrected' | 'regressed' | 'torn' | 'phantom';

/** A page as the product serves it. */
export interface ServedPage {
  readonly id: string;
  readonly title: string;
  readonly version: string;
}

interface Floor {
  readonly seq: number;
  readonly isGone: boolean;
  /** The product's version of the last page served; -1 before any. */
  readonly version: bigint;
}

/** What had been seen of every page at one moment. */
export type Floors = ReadonlyMap<string, Floor>;

const PARAGRAPHS = [1, 4, 30, 60];
const NOTHING: Floor = { seq: -1, isGone: true, version: -1n };

/** The body of a revision: every paragraph names it, so that a mixture of two shows. The long ones are stored out of line. */
export function bodyOf(revision: number): string {
  const paragraphs = PARAGRAPHS[revision % PARAGRAPHS.length] ?? 1;
  return Array.from(
    { length: paragraphs },
    (_, n) => `Revision r${revision} says in paragraph ${n} how watermarks follow offsets through the pipeline.`,
  ).join('\n\n');
}

/**
 * What was committed at the source and what was seen of it. The writers tell it their changes before they commit: from then on, and
 * never before, a reader may see them. Every observation is judged against what had been seen when its request was sent.
 */
export class PageLedger {
  readonly violations: { readonly kind: Violation; readonly text: string }[] = [];
  readonly counts = { transactions: 0, rollbacks: 0, changes: 0, served: 0, gone: 0 };
  readonly #changes = new Map<string, PageChange[]>();
  readonly #committed = new Map<string, PageChange>();
  #floors = new Map<string, Floor>();

  /** Call it before COMMIT. */
  committing(changes: readonly PageChange[]): void {
    for (const change of changes) {
      const known = this.#changes.get(change.id);
      if (known) known.push(change);
      else this.#changes.set(change.id, [change]);
    }
  }

  /** Call it after COMMIT. */
  committed(changes: readonly PageChange[]): void {
    this.counts.transactions++;
    this.counts.changes += changes.length;
    for (const change of changes)
      if (change.seq >= (this.#committed.get(change.id)?.seq ?? -1)) this.#committed.set(change.id, change);
  }

  /** Every page that there ever was. */
  ids(): string[] {
    return [...this.#changes.keys()];
  }

  floors(): Floors {
    return new Map(this.#floors);
  }

  /** Everything that is committed now: what a reply must contain once it is as of a later position. */
  commits(): ReadonlyMap<string, PageChange> {
    return new Map(this.#committed);
  }

  /** From now on, nothing older may be served. */
  requireAtLeast(commits: ReadonlyMap<string, PageChange>): void {
    for (const [id, { seq, revision }] of commits)
      this.#raise(id, { seq, isGone: revision === undefined, version: this.#floors.get(id)?.version ?? -1n });
  }

  /** Judges a served page; `isText` tells whether the text belongs to the body given. */
  sawPage(page: ServedPage, isText: (body: string) => boolean, before: Floors): void {
    this.counts.served++;
    const { id } = page;
    const seq = Number(page.title);
    const version = BigInt(page.version);
    const change = this.#changes.get(id)?.find((one) => one.seq === seq);
    if (change?.revision === undefined) {
      this.violate('phantom', `${id} is served with seq ${seq}, which was never committed`);
      return;
    }
    if (!isText(bodyOf(change.revision)))
      this.violate('torn', `${id}: text is not that of revision ${change.revision}`);
    const floor = before.get(id) ?? NOTHING;
    const isOlder = floor.isGone ? seq <= floor.seq : seq < floor.seq;
    if (isOlder) this.violate(floor.isGone ? 'resurrected' : 'regressed', `${id} has seq ${seq} after ${floor.seq}`);
    if (version < floor.version) this.violate('regressed', `${id} has version ${version} after ${floor.version}`);
    this.#raise(id, { seq, isGone: false, version });
  }

  /** Judges that a page was not there. */
  sawNone(id: string, before: Floors): void {
    this.counts.gone++;
    const floor = before.get(id) ?? NOTHING;
    if (floor.isGone) return;
    const deletions = (this.#changes.get(id) ?? []).filter((one) => one.revision === undefined && one.seq > floor.seq);
    const [first] = deletions;
    if (!first) this.violate('lost', `${id} is gone after seq ${floor.seq}, and nobody has deleted it`);
    // The earliest deletion that explains it: a later one may not have arrived yet.
    else this.#raise(id, { seq: first.seq, isGone: true, version: floor.version });
  }

  violate(kind: Violation, text: string): void {
    this.violations.push({ kind, text });
  }

  #raise(id: string, to: Floor): void {
    const floor = this.#floors.get(id) ?? NOTHING;
    const version = to.version > floor.version ? to.version : floor.version;
    this.#floors.set(id, to.seq >= floor.seq ? { ...to, version } : { ...floor, version });
  }
}
