import type { EvalResult } from '../../eval/results/result.ts';

/** A run of four queries of adi, with changes. */
export function aResult(changes: Partial<EvalResult> = {}): EvalResult {
  return {
    version: 1,
    suite: 'retrieval',
    measuredAt: '2026-01-02T03:04:05.000Z',
    commit: '0123456789abcdef0123456789abcdef01234567',
    configDigest: 'aaaaaaaaaaaa',
    model: 'a-model',
    store: 'sqlite',
    sets: [
      {
        set: 'adi',
        queries: ['q1', 'q2', 'q3', 'q4'],
        metrics: [{ metric: 'hybrid nDCG@10', values: [1, 0.5, 0, 0.25] }],
      },
    ],
    ...changes,
  };
}

/** A run of one metric of one set with the values given. */
export function aRunOf(values: readonly number[], changes: Partial<EvalResult> = {}): EvalResult {
  const queries = values.map((_, index) => `q${index}`);
  return aResult({ sets: [{ set: 'adi', queries, metrics: [{ metric: 'hybrid nDCG@10', values }] }], ...changes });
}
