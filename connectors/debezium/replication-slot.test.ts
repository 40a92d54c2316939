import { expect, test } from 'vitest';
import { leadOf, type SlotLead } from './replication-slot.ts';

/** Looks at a slot at these times; the lead after the last one. */
function after(looks: readonly { readonly ms: number; readonly confirmed: bigint; readonly committed: bigint }[]) {
  let lead: SlotLead | undefined;
  for (const { ms, confirmed, committed } of looks) lead = leadOf(lead, confirmed, committed, ms);
  return lead;
}

test('a slot that is ahead at every look, each time of another place, has not moved', () => {
  const looks = Array.from({ length: 100 }, (_, n) => ({
    ms: n * 500,
    confirmed: BigInt(n * 10 + 5),
    committed: BigInt(n * 10),
  }));
  expect(after(looks)).toEqual({ lsn: 995n, sinceMs: 49_500 });
});

test('a place that the committed offset does not reach is as old as the first look at it', () => {
  expect(
    after([
      { ms: 0, confirmed: 50n, committed: 10n },
      { ms: 500, confirmed: 60n, committed: 20n },
      { ms: 1_000, confirmed: 70n, committed: 49n },
    ]),
  ).toEqual({ lsn: 50n, sinceMs: 0 });
});

test('a slot that is not ahead leads by nothing', () => {
  expect(
    after([
      { ms: 0, confirmed: 50n, committed: 10n },
      { ms: 500, confirmed: 50n, committed: 50n },
    ]),
  ).toBeUndefined();
});
