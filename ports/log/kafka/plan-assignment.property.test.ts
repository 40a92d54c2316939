import fc from 'fast-check';
import { expect, it } from 'vitest';
import { planAssignment, type AssignablePartition, type JoiningMember } from './plan-assignment.ts';

const TOPICS = ['a', 'b', 'c'];
const nameOf = ({ topic, partition }: AssignablePartition): string => `${topic}/${partition}`;

const partitions = fc
  .array(fc.nat(6), { minLength: TOPICS.length, maxLength: TOPICS.length })
  .map((counts) =>
    counts.flatMap((count, i) => Array.from({ length: count }, (_, partition) => ({ topic: TOPICS[i]!, partition }))),
  );
const topics = fc.subarray(TOPICS, { minLength: 1 }).map((names) => new Set(names));
const members = fc
  .array(
    fc.record({ topics, claims: fc.array(fc.nat(20)), generation: fc.nat(3), process: fc.constantFrom('p', 'q', 'r') }),
    {
      minLength: 1,
      maxLength: 6,
    },
  )
  .map((all) => all.map((one, i) => ({ ...one, id: `m${i}` })));

const joining = (
  all: readonly (Omit<JoiningMember, 'owned'> & { readonly claims: number[] })[],
  places: readonly AssignablePartition[],
): JoiningMember[] =>
  all.map(({ id, topics: own, claims, generation, process }) => ({
    id,
    topics: own,
    process,
    generation,
    owned: [...new Set(claims.flatMap((claim) => (places[claim] ? [nameOf(places[claim])] : [])))],
  }));

it('a partition has one owner at most, and never another one than the member that still holds it', () => {
  fc.assert(
    fc.property(partitions, members, (places, all) => {
      const group = joining(all, places);
      const plan = planAssignment(group, places);
      const given = [...plan.values()].flat().map(nameOf);
      expect(new Set(given).size).toBe(given.length);
      for (const [id, own] of plan)
        for (const place of own) {
          const holding = group.filter(
            ({ owned, topics: names }) => owned.includes(nameOf(place)) && names.has(place.topic),
          );
          if (holding.length > 0) expect(holding.map((member) => member.id)).toContain(id);
        }
    }),
  );
});

it('after a few rounds every partition has an owner where all read the same topics; in any group the plan soon settles', () => {
  fc.assert(
    fc.property(partitions, members, fc.boolean(), (places, all, isUniform) => {
      let group = joining(all, places).map((member) => (isUniform ? { ...member, topics: new Set(TOPICS) } : member));
      const sorted = (plan: ReadonlyMap<string, readonly AssignablePartition[]>) =>
        [...plan].map(([id, own]) => [id, own.map(nameOf).toSorted()]);
      const rounds: ReturnType<typeof sorted>[] = [];
      const isSettled = () => rounds.length > 1 && JSON.stringify(rounds.at(-1)) === JSON.stringify(rounds.at(-2));
      while (!isSettled()) {
        const plan = planAssignment(group, places);
        group = group.map((member) => ({
          ...member,
          generation: 4 + rounds.length,
          owned: (plan.get(member.id) ?? []).map(nameOf),
        }));
        rounds.push(sorted(plan));
        expect(rounds.length).toBeLessThanOrEqual(isUniform ? 4 : 8);
      }
      const read = places.filter(({ topic }) => group.some((member) => member.topics.has(topic))).map(nameOf);
      expect(group.flatMap(({ owned }) => owned).toSorted()).toEqual(read.toSorted());
    }),
  );
});

it('processes of the same topics get shares that differ by one at most, and so do the members of a process', () => {
  fc.assert(
    fc.property(partitions, members, (places, all) => {
      let group = joining(all, places).map((member) => ({ ...member, topics: new Set(TOPICS) }));
      for (let round = 0; round < 3; round++) {
        const plan = planAssignment(group, places);
        group = group.map((member) => ({ ...member, owned: (plan.get(member.id) ?? []).map(nameOf) }));
      }
      const spread = (shares: readonly number[]): number => Math.max(...shares) - Math.min(...shares);
      const processes = [...new Set(group.map(({ process }) => process))].map((name) =>
        group.filter(({ process }) => process === name).map(({ owned }) => owned.length),
      );
      expect(spread(processes.map((shares) => shares.reduce((sum, share) => sum + share, 0)))).toBeLessThanOrEqual(1);
      for (const shares of processes) expect(spread(shares)).toBeLessThanOrEqual(1);
    }),
  );
});

it('a member that joins takes no more than its share from the others', () => {
  const places = Array.from({ length: 8 }, (_, partition) => ({ topic: 'a', partition }));
  const names = new Set(['a']);
  const first = { id: 'm1', process: 'p', topics: names, owned: places.map(nameOf), generation: 1 };
  const second = { id: 'm2', process: 'q', topics: names, owned: [], generation: -1 };
  const plan = planAssignment([first, second], places);
  expect(plan.get('m1')).toHaveLength(4);
  expect(plan.get('m2')).toEqual([]);
});

it('two processes share two partitions, however many members each of them has', () => {
  const places = Array.from({ length: 2 }, (_, partition) => ({ topic: 'a', partition }));
  const aMember = (id: string, process: string, owned: readonly string[]): JoiningMember => {
    return { id, process, topics: new Set(['a']), owned, generation: 1 };
  };
  const group = [
    aMember('m1', 'p', ['a/0']),
    aMember('m2', 'p', ['a/1']),
    aMember('m3', 'q', []),
    aMember('m4', 'q', []),
  ];
  const first = planAssignment(group, places);
  const second = planAssignment(
    group.map((member) => ({ ...member, owned: (first.get(member.id) ?? []).map(nameOf) })),
    places,
  );
  const shareOf = (...ids: string[]): number => ids.reduce((sum, id) => sum + (second.get(id)?.length ?? 0), 0);
  expect([shareOf('m1', 'm2'), shareOf('m3', 'm4')]).toEqual([1, 1]);
});
