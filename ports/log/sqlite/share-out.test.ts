import fc from 'fast-check';
import { expect, it } from 'vitest';
import { shareOut, type OwnedPartition } from './share-out.ts';

const TOPICS = ['a', 'b'];

it('members share the partitions out: each has one owner, after every member has given up and then claimed', () => {
  const topics = fc.subarray(TOPICS, { minLength: 1 }).map((names) => new Set(names));
  const members = fc
    .array(topics, { minLength: 1, maxLength: 5 })
    .map((all) => all.map((names, i) => ({ number: BigInt(i + 1), topics: names })));
  const owned = fc.array(
    fc.record({
      topic: fc.constantFrom(...TOPICS),
      owner: fc.option(fc.bigInt({ min: 1n, max: 8n }), { nil: undefined }),
    }),
    { maxLength: 12 },
  );
  fc.assert(
    fc.property(members, owned, (group, rows) => {
      const partitions = rows.map((row, i): OwnedPartition => ({ ...row, number: BigInt(i) }));
      for (let turn = 0; turn < 2; turn++)
        for (const { number: me } of group) {
          const { claim, release, owned: mine } = shareOut(me, group, partitions);
          expect(mine.every((number) => claim.includes(number) || partitions[Number(number)]!.owner === me)).toBe(true);
          for (const number of release)
            partitions[Number(number)] = { ...partitions[Number(number)]!, owner: undefined };
          for (const number of claim) partitions[Number(number)] = { ...partitions[Number(number)]!, owner: me };
        }
      const readers = (topic: string) => group.filter((member) => member.topics.has(topic)).map(({ number }) => number);
      for (const { topic, owner } of partitions) if (readers(topic).length > 0) expect(readers(topic)).toContain(owner);
    }),
  );
});

it('nobody claims what a live member still owns', () => {
  const group = [1n, 2n].map((number) => ({ number, topics: new Set(['a']) }));
  const partitions = [0n, 1n].map((number) => ({ number, topic: 'a', owner: 1n }));
  expect(shareOut(2n, group, partitions)).toEqual({ owned: [], claim: [], release: [] });
  expect(shareOut(1n, group, partitions)).toEqual({ owned: [0n], claim: [], release: [1n] });
});
