import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { Clock } from '../../../runtime/clock.ts';
import { FreshetError } from '../../../runtime/errors.ts';
import type { Sqlite } from '../../sqlite.ts';
import { whenFree } from '../../when-free.ts';
import type { CommitOffset } from '../log.ts';
import type { Changes } from './changes.ts';
import type { PartitionNumber } from './schema.ts';
import { shareOut, type Share } from './share-out.ts';
import type { Topics } from './topics.ts';

/** A member that has not renewed its lease for this long has lost its partitions, ms. A killed process loses them at once. */
const LEASE_MS = 10_000;
/** How often a member renews its lease, ms: two renewals may fail before it is taken for dead. */
export const LEASE_RENEWAL_MS = 3_000;

const HOST = hostname();
/** Tells two processes apart that had the same number one after the other, as in a restarted container. */
const PROCESS = randomUUID();

interface MemberRow {
  readonly number: bigint;
  readonly topics: string;
  readonly host: string;
  readonly pid: bigint;
  readonly process: string;
  readonly lease_until_ms: bigint;
}

/** What the members of one log run; prepared once per log, because a reader joins anew after every failure. */
export type MembershipStatements = ReturnType<typeof membershipStatements>;

/** Prepares them on the log's own connection. */
export function membershipStatements(db: Sqlite) {
  return {
    selectMembers: db.prepare<MemberRow>(
      'SELECT number, topics, host, pid, process, lease_until_ms FROM members WHERE name = ? ORDER BY number',
    ),
    selectOwners: db.prepare<{ partition: bigint; member: bigint | null }>(
      'SELECT partition, member FROM owners WHERE name = ?',
    ),
    insertMember: db.prepare(
      'INSERT INTO members (name, topics, host, pid, process, lease_until_ms) VALUES (?, ?, ?, ?, ?, ?)',
    ),
    renew: db.prepare('UPDATE members SET lease_until_ms = ? WHERE number = ?'),
    deleteMember: db.prepare('DELETE FROM members WHERE number = ?'),
    claim: db.prepare('INSERT OR REPLACE INTO owners (name, partition, member) VALUES (?, ?, ?)'),
    release: db.prepare('UPDATE owners SET member = NULL WHERE name = ? AND partition = ? AND member = ?'),
    releaseAll: db.prepare('UPDATE owners SET member = NULL WHERE name = ? AND member = ?'),
    // The WHERE is the fence: a commit of a member that has lost the partition changes nothing. Nor does one that goes back, and
    // one beyond the end would skip records that are yet to come.
    commit: db.prepare(
      `INSERT INTO offsets (name, partition, next)
       SELECT o.name, o.partition, min(?, p.next) FROM owners o JOIN partitions p ON p.number = o.partition
       WHERE o.name = ? AND o.partition = ? AND o.member = ?
       ON CONFLICT (name, partition) DO UPDATE SET next = max(next, excluded.next)`,
    ),
    selectOffset: db.prepare<{ next: bigint }>('SELECT next FROM offsets WHERE name = ? AND partition = ?'),
  };
}

/** What a member needs of its log. */
export interface MembershipParts {
  readonly db: Sqlite;
  readonly statements: MembershipStatements;
  readonly topics: Topics;
  readonly changes: Changes;
  readonly clock: Clock;
}

/** One reader's place in its group: which partitions it owns, and from which offsets it reads. */
export class Membership {
  readonly #db: Sqlite;
  readonly #topics: Topics;
  readonly #changes: Changes;
  readonly #clock: Clock;
  readonly #group: string;
  readonly #subscribed: readonly string[];
  readonly #left = new AbortController();
  readonly #statements: MembershipStatements;
  #me: bigint | undefined;
  #joins = 0;
  #owned: readonly PartitionNumber[] = [];
  #seen: number | undefined;
  #checkAtMs = 0;

  constructor(parts: MembershipParts, group: string, subscribed: readonly string[]) {
    this.#db = parts.db;
    this.#statements = parts.statements;
    this.#topics = parts.topics;
    this.#changes = parts.changes;
    this.#clock = parts.clock;
    this.#group = group;
    this.#subscribed = subscribed;
  }

  /** Rises when this member joins, also again after it was taken for dead; positions from before are void then. */
  get joins(): number {
    return this.#joins;
  }

  /** The partitions that are this member's now; joins at the first call. Call it between two batches: it may give some up. */
  async refresh(): Promise<readonly PartitionNumber[]> {
    if (this.#left.signal.aborted) return [];
    const seen = this.#changes.memberships();
    const isDue = !this.#db.isMemory && this.#clock.monotonicMs() >= this.#checkAtMs;
    if (this.#me === undefined || seen !== this.#seen || isDue) {
      if (this.#db.snapshot(() => this.#hasToAct())) await this.#act();
      this.#seen = seen;
      this.#checkAtMs = this.#clock.monotonicMs() + LEASE_RENEWAL_MS;
    }
    return this.#owned;
  }

  /** The group's next offset of a partition, 0 when it has never committed there. */
  committed(partition: PartitionNumber): bigint {
    return this.#statements.selectOffset.get(this.#group, partition)?.next ?? 0n;
  }

  /** Refuses silently what goes back and what is not this member's any more. */
  async commit(offsets: readonly CommitOffset[]): Promise<void> {
    if (this.#me === undefined) await this.refresh();
    const me = this.#me;
    if (me === undefined) return;
    const rows = offsets.map(({ topic, partition, next }) => ({ number: this.#topics.number(topic, partition), next }));
    await whenFree(this.#clock, () =>
      // Lazily durable: a commit that a loss of power undoes is only a redelivery.
      this.#db.transaction(() => {
        for (const { number, next } of rows) this.#statements.commit.run(next, this.#group, number, me);
      }),
    );
  }

  /** Gives up everything at once. */
  async leave(): Promise<void> {
    if (this.#left.signal.aborted) return;
    this.#left.abort();
    const me = this.#me;
    this.#me = undefined;
    this.#owned = [];
    if (me === undefined) return;
    await whenFree(this.#clock, () => this.#db.transaction(() => this.#remove(me)));
    this.#changes.raiseMemberships();
  }

  /** Whether a transaction is needed; without one, takes over what the rows say is owned. */
  #hasToAct(): boolean {
    const members = this.#statements.selectMembers.all(this.#group);
    if (this.#me === undefined || !members.some(({ number }) => number === this.#me)) return true;
    if (members.some((member) => this.#isDead(member))) return true;
    const { owned, claim, release } = this.#plan(members, this.#me);
    this.#owned = owned;
    return claim.length + release.length > 0;
  }

  async #act(): Promise<void> {
    const wasMember = this.#me !== undefined;
    const { isJoin, released } = await whenFree(this.#clock, () => this.#db.transaction(() => this.#carryOut()));
    if (isJoin) this.#joins++;
    if (isJoin || released > 0) this.#changes.raiseMemberships();
    if (!wasMember && !this.#db.isMemory) void this.#keepLease();
  }

  #carryOut(): { readonly isJoin: boolean; readonly released: number } {
    for (const member of this.#statements.selectMembers.all(this.#group))
      if (member.number !== this.#me && this.#isDead(member)) this.#remove(member.number);
    let members = this.#statements.selectMembers.all(this.#group);
    let me = members.find(({ number }) => number === this.#me)?.number;
    const isJoin = me === undefined;
    if (me === undefined) {
      const until = leaseEnd(this.#clock);
      const topics = JSON.stringify(this.#subscribed);
      me = BigInt(
        this.#statements.insertMember.run(this.#group, topics, HOST, process.pid, PROCESS, until).lastInsertRowid,
      );
      members = this.#statements.selectMembers.all(this.#group);
    }
    const { owned, claim, release } = this.#plan(members, me);
    for (const partition of release) this.#statements.release.run(this.#group, partition, me);
    for (const partition of claim) this.#statements.claim.run(this.#group, partition, me);
    this.#me = me;
    this.#owned = owned;
    return { isJoin, released: release.length };
  }

  #plan(members: readonly MemberRow[], me: bigint): Share {
    const owners = new Map(
      this.#statements.selectOwners.all(this.#group).map(({ partition, member }) => [partition, member]),
    );
    const parsed = members.map(({ number, topics }) => ({ number, topics: new Set(JSON.parse(topics) as string[]) }));
    const names = [...new Set(parsed.flatMap(({ topics }) => [...topics]))].sort();
    const partitions = names.flatMap((topic) =>
      (this.#topics.find(topic)?.numbers ?? []).map((number) => ({
        number,
        topic,
        owner: owners.get(number) ?? undefined,
      })),
    );
    return shareOut(me, parsed, partitions);
  }

  #remove(member: bigint): void {
    this.#statements.deleteMember.run(member);
    this.#statements.releaseAll.run(this.#group, member);
  }

  #isDead(member: MemberRow): boolean {
    if (this.#db.isMemory || member.number === this.#me) return false;
    if (Number(member.lease_until_ms) <= this.#clock.now()) return true;
    if (member.host !== HOST || member.process === PROCESS) return false;
    return Number(member.pid) === process.pid || !isRunning(Number(member.pid));
  }

  async #keepLease(): Promise<void> {
    const { signal } = this.#left;
    while (!signal.aborted) {
      try {
        await this.#clock.sleep(LEASE_RENEWAL_MS, signal);
        const me = this.#me;
        if (me !== undefined) this.#db.transaction(() => this.#statements.renew.run(leaseEnd(this.#clock), me));
      } catch (error) {
        if (signal.aborted) return;
        // A renewal that fails is made up for by the next one; if all fail, the partitions go to another member and the commits of
        // this one are refused.
        if (!(error instanceof FreshetError)) throw error;
      }
    }
  }
}

function leaseEnd(clock: Clock): number {
  return Math.ceil(clock.now()) + LEASE_MS;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
