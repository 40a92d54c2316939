/** A member of a group as it presents itself when it joins. */
export interface JoiningMember {
  readonly id: string;
  /** What it shares a machine's core with: work is spread over processes first, and then over the members of each. */
  readonly process: string;
  readonly topics: ReadonlySet<string>;
  /** `topic/partition` of what it holds and goes on working on while the group changes. */
  readonly owned: readonly string[];
  /** Of the last assignment that it knows. Of two that claim one partition, the higher one is right. */
  readonly generation: number;
}

/** A partition to be given to a member. */
export interface AssignablePartition {
  readonly topic: string;
  readonly partition: number;
}

/**
 * Shares partitions out evenly among the processes whose members subscribe to their topics, then among the members of each process, and
 * moves as few as it can.
 *
 * Members do not stop while the group changes: a partition that has to move is given to nobody in this round. Its owner sees that it
 * is gone, finishes what it has in hand, commits, and joins again without it; the next round gives it to the new owner. So a
 * partition never has two owners, and nothing is worked on twice while all members live.
 * @returns by member; every member is named.
 */
export function planAssignment(
  members: readonly JoiningMember[],
  partitions: readonly AssignablePartition[],
): ReadonlyMap<string, readonly AssignablePartition[]> {
  const inOrder = members.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const held = holders(inOrder, partitions);
  const target = new Map<string, AssignablePartition[]>(inOrder.map(({ id }) => [id, []]));
  const load = loads(inOrder, target);
  const readersOf = (topic: string): JoiningMember[] => inOrder.filter((member) => member.topics.has(topic));

  for (const place of partitions) target.get(held.get(nameOf(place)) ?? '')?.push(place);
  for (const place of partitions) {
    if (held.has(nameOf(place))) continue;
    const ofTopic = (id: string): number => countOf(target.get(id), place.topic);
    const [owner] = readersOf(place.topic).toSorted((a, b) => load.compare(a, b) || ofTopic(a.id) - ofTopic(b.id));
    if (owner) target.get(owner.id)?.push(place);
  }
  levelOut(inOrder, target, held);
  return new Map(
    Array.from(target, ([id, given]) => [id, given.filter((place) => (held.get(nameOf(place)) ?? id) === id)]),
  );
}

/** By partition, the member that may go on with it. */
function holders(
  members: readonly JoiningMember[],
  partitions: readonly AssignablePartition[],
): ReadonlyMap<string, string> {
  const known = new Map(partitions.map((place) => [nameOf(place), place.topic]));
  const held = new Map<string, JoiningMember>();
  for (const member of members)
    for (const name of member.owned) {
      const topic = known.get(name);
      if (topic === undefined || !member.topics.has(topic)) continue;
      const other = held.get(name);
      if (!other || other.generation < member.generation) held.set(name, member);
    }
  return new Map(Array.from(held, ([name, { id }]) => [name, id]));
}

interface Loads {
  of(member: JoiningMember): number;
  ofProcess(member: JoiningMember): number;
  /** Negative when the first has less to do: by its process, then by itself. */
  compare(a: JoiningMember, b: JoiningMember): number;
}

function loads(members: readonly JoiningMember[], target: ReadonlyMap<string, readonly AssignablePartition[]>): Loads {
  const inProcess = new Map<string, JoiningMember[]>();
  for (const member of members) inProcess.set(member.process, [...(inProcess.get(member.process) ?? []), member]);
  const of = ({ id }: JoiningMember): number => target.get(id)?.length ?? 0;
  const ofProcess = ({ process }: JoiningMember): number =>
    (inProcess.get(process) ?? []).reduce((sum, member) => sum + of(member), 0);
  return { of, ofProcess, compare: (a, b) => ofProcess(a) - ofProcess(b) || of(a) - of(b) };
}

/** Moves partitions from where there is most to where there is least, as long as that evens them out. */
function levelOut(
  members: readonly JoiningMember[],
  target: ReadonlyMap<string, AssignablePartition[]>,
  held: ReadonlyMap<string, string>,
): void {
  const load = loads(members, target);
  for (let isLevel = false; !isLevel;) {
    isLevel = true;
    const byLoad = members.toSorted((a, b) => load.compare(b, a));
    for (const from of byLoad) {
      const move = moveFrom(from, byLoad.toReversed(), { load, target, held });
      if (!move) continue;
      const given = target.get(from.id) ?? [];
      given.splice(given.indexOf(move.place), 1);
      target.get(move.to)?.push(move.place);
      isLevel = false;
      break;
    }
  }
}

function moveFrom(
  from: JoiningMember,
  others: readonly JoiningMember[],
  {
    load,
    target,
    held,
  }: {
    readonly load: Loads;
    readonly target: ReadonlyMap<string, readonly AssignablePartition[]>;
    readonly held: ReadonlyMap<string, string>;
  },
): { readonly place: AssignablePartition; readonly to: string } | undefined {
  const given = target.get(from.id) ?? [];
  for (const to of others) {
    const received = target.get(to.id) ?? [];
    const difference =
      from.process === to.process ? load.of(from) - load.of(to) : load.ofProcess(from) - load.ofProcess(to);
    if (difference < 2) continue;
    // One that nobody holds moves for nothing; else of the topic of which the two differ most, so that its work is spread.
    const isHeld = (place: AssignablePartition): number => (held.has(nameOf(place)) ? 1 : 0);
    const [place] = given
      .filter(({ topic }) => to.topics.has(topic))
      .toSorted(
        (a, b) => isHeld(a) - isHeld(b) || surplus(given, received, b.topic) - surplus(given, received, a.topic),
      );
    if (place) return { place, to: to.id };
  }
  return undefined;
}

function surplus(
  given: readonly AssignablePartition[],
  received: readonly AssignablePartition[],
  topic: string,
): number {
  return countOf(given, topic) - countOf(received, topic);
}

function countOf(given: readonly AssignablePartition[] | undefined, topic: string): number {
  return (given ?? []).filter((place) => place.topic === topic).length;
}

function nameOf({ topic, partition }: AssignablePartition): string {
  return `${topic}/${partition}`;
}
