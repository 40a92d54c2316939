import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ExperimentConfig } from '../../runtime/config/experiments-config.ts';
import { assignArms, unitOf } from './assign-arms.ts';

const DEPTH: ExperimentConfig = { name: 'depth', arms: [{ name: 'eight' }, { name: 'four', k: 4 }] };
const LEGS: ExperimentConfig = {
  name: 'legs',
  arms: [
    { name: 'both', share: 3 },
    { name: 'words', mode: 'lexical', rerank: 'never' },
  ],
};
const caller = (subject: string, tenant = 'acme') => ({ tenant, groups: [], subject });

function counts(experiments: readonly ExperimentConfig[], name: string, callers: number): Record<string, number> {
  const seen: Record<string, number> = {};
  for (let index = 0; index < callers; index++) {
    const arm = assignArms(experiments, caller(`s${index}`), undefined).arms[name] ?? '';
    seen[arm] = (seen[arm] ?? 0) + 1;
  }
  return seen;
}

describe('an arm', () => {
  test('is the same for one caller for ever, whatever else is configured and whatever his groups', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.option(fc.string(), { nil: undefined }), (tenant, subject, unit) => {
        const principal = caller(subject, tenant);
        const alone = assignArms([DEPTH], principal, unit).arms['depth'];
        expect(assignArms([LEGS, DEPTH], { ...principal, groups: ['other'] }, unit).arms['depth']).toBe(alone);
      }),
    );
  });

  test('stays what it was in earlier releases', () => {
    const arms = ['ann', 'bob', 'cy', 'di'].map(
      (subject) => assignArms([DEPTH, LEGS], caller(subject), undefined).arms,
    );
    expect(arms).toMatchInlineSnapshot(`
      [
        {
          "depth": "four",
          "legs": "both",
        },
        {
          "depth": "four",
          "legs": "both",
        },
        {
          "depth": "four",
          "legs": "both",
        },
        {
          "depth": "eight",
          "legs": "both",
        },
      ]
    `);
  });

  test('gets its share of the callers', () => {
    const callers = 20_000;
    // Four standard deviations of a binomial count: the hash is fixed, so this passes always or never.
    const within = (share: number) => 4 * Math.sqrt(callers * share * (1 - share));
    expect(Math.abs((counts([DEPTH], 'depth', callers)['four'] ?? 0) - callers / 2)).toBeLessThan(within(0.5));
    expect(Math.abs((counts([LEGS], 'legs', callers)['words'] ?? 0) - callers / 4)).toBeLessThan(within(0.25));
  });

  test('of one experiment says nothing about the arm of another', () => {
    const twin = { ...DEPTH, name: 'twin' };
    const callers = 20_000;
    let same = 0;
    for (let index = 0; index < callers; index++) {
      const { arms } = assignArms([DEPTH, twin], caller(`s${index}`), undefined);
      if (arms['depth'] === arms['twin']) same++;
    }
    expect(Math.abs(same - callers / 2)).toBeLessThan(4 * Math.sqrt(callers / 4));
  });

  test('brings its settings, and those of the control are none', () => {
    const settings = new Map<string, object>();
    for (let index = 0; index < 200; index++) {
      const { arms, settings: own } = assignArms([DEPTH, LEGS], caller(`s${index}`), undefined);
      settings.set(`${arms['depth']} ${arms['legs']}`, own);
    }
    expect(Object.fromEntries(settings)).toEqual({
      'eight both': {},
      'four both': { k: 4 },
      'eight words': { mode: 'lexical', rerank: false },
      'four words': { k: 4, mode: 'lexical', rerank: false },
    });
  });

  test('is chosen by the unit where one is named, and a unit is no subject', () => {
    const of = (subject: string, unit?: string) => assignArms([DEPTH], caller(subject), unit).arms['depth'];
    const subjects = Array.from({ length: 50 }, (_, index) => `s${index}`);
    expect(new Set(subjects.map((subject) => of(subject, 'page'))).size).toBe(1);
    expect(subjects.map((subject) => of('proxy', subject))).not.toEqual(subjects.map((subject) => of(subject)));
  });
});

test('a unit is taken from its header, cut to a bound', () => {
  expect(unitOf({ 'x-freshet-experiment-unit': 'a'.repeat(999) })).toBe('a'.repeat(256));
  expect(unitOf({ 'x-freshet-experiment-unit': '' })).toBeUndefined();
  expect(unitOf({})).toBeUndefined();
});
