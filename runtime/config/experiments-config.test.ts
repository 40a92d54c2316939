import { describe, expect, test } from 'vitest';
import { InvalidConfig } from '../errors.ts';
import { parseConfig } from './load-config.ts';

const SOURCE = 'sources: [{ name: a, kind: webhook, signature: { scheme: standard-webhooks, secret: whsec_x } }]';
const load = (experiments: string) => parseConfig(`${SOURCE}\nexperiments:\n${experiments}`, {}, 'freshet.yaml');

function faultsOf(experiments: string): readonly string[] {
  try {
    load(experiments);
    return [];
  } catch (error) {
    if (!(error instanceof InvalidConfig)) throw error;
    return error.faults.map(({ path, problem }) => `${path}: ${problem}`);
  }
}

describe('experiments in the config', () => {
  test('are read with the shares filled in', () => {
    const { experiments } = load('  - { name: depth, arms: [{ name: eight }, { name: four, share: 3, k: 4 }] }');
    expect(experiments).toEqual([
      {
        name: 'depth',
        arms: [
          { name: 'eight', share: 1 },
          { name: 'four', share: 3, k: 4 },
        ],
      },
    ]);
    expect(parseConfig(SOURCE, {}, 'freshet.yaml').experiments).toBeUndefined();
  });

  test.each([
    [
      'one arm',
      '  - { name: a, arms: [{ name: b, k: 4 }] }',
      ['experiments[0].arms: expected 2 to 10 arms, to compare; got 1'],
    ],
    [
      'an arm that is listed twice',
      '  - { name: a, arms: [{ name: b, k: 4 }, { name: b }] }',
      ['experiments[0].arms[1].name: the arm "b" is listed before'],
    ],
    [
      'two experiments that turn one setting',
      '  - { name: a, arms: [{ name: b, k: 4 }, { name: c }] }\n  - { name: d, arms: [{ name: b, k: 2 }, { name: c }] }',
      ['experiments[1].arms: `k` is also set by experiment "a"; only one may'],
    ],
    [
      'two experiments of one name',
      '  - { name: a, arms: [{ name: b, k: 4 }, { name: c }] }\n  - { name: a, arms: [{ name: b, mode: dense }, { name: c }] }',
      ['experiments[1].name: "a" is also the name of experiments[0]'],
    ],
    [
      'reranking without a reranker',
      '  - { name: a, arms: [{ name: b, rerank: always }, { name: c }] }',
      ['experiments[0].arms[0].rerank: `always` needs a `reranker`'],
    ],
  ])('%s is refused with what to do', (_what, yaml, faults) => {
    expect(faultsOf(yaml)).toEqual(faults);
  });

  test('of a wrong form are refused by name', () => {
    const faults = faultsOf('  - { name: Big One, arms: [{ name: b, k: 0 }, { name: c, prompt: x }] }');
    expect(faults.map((fault) => fault.split(':')[0])).toEqual([
      'experiments[0].name',
      'experiments[0].arms[0].k',
      'experiments[0].arms[1].prompt',
    ]);
  });
});
