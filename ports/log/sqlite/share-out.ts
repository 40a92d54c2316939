/** A live member of a group. `number` grows with the time of joining. */
export interface Member {
  readonly number: bigint;
  readonly topics: ReadonlySet<string>;
}

/** A partition that somebody in the group reads, and who owns it now. */
export interface OwnedPartition {
  readonly number: bigint;
  readonly topic: string;
  readonly owner: bigint | undefined;
}

/** What one member has to do, so that the partitions are shared evenly. */
export interface Share {
  /** Partitions that are this member's when the plan has been carried out. */
  readonly owned: readonly bigint[];
  /** To take: nobody owns them. */
  readonly claim: readonly bigint[];
  /** To give up, so that a newer member can take them. */
  readonly release: readonly bigint[];
}

/**
 * What one member owns, claims and gives up. Every member plans for itself from the same rows and comes to shares that do not
 * overlap. A partition changes hands only after its owner has given it up, which an owner does between two batches: so nothing is
 * worked on twice while all members live.
 * @param members live ones, by number.
 * @param partitions in an order that is the same for every member.
 */
export function shareOut(me: bigint, members: readonly Member[], partitions: readonly OwnedPartition[]): Share {
  const live = new Set(members.map((member) => member.number));
  const owned: bigint[] = [];
  const claim: bigint[] = [];
  const release: bigint[] = [];
  for (const [i, { number, topic, owner }] of partitions.entries()) {
    const readers = members.filter((member) => member.topics.has(topic));
    const isMine = readers[i % readers.length]?.number === me;
    if (owner === me && !isMine) release.push(number);
    if (!isMine) continue;
    if (owner === me) owned.push(number);
    else if (owner === undefined || !live.has(owner)) claim.push(number);
  }
  return { owned: [...owned, ...claim], claim, release };
}
