import type { CrossFault, PartialConfig } from './cross-fault.ts';

/** Arms are labels of metrics, and a share of the callers each: more would be neither bounded nor measurable. */
const MAX_ARMS = 10;
const MAX_EXPERIMENTS = 5;
const SETTINGS = ['k', 'mode', 'rerank'] as const;

/**
 * Experiments that can be told apart: names that are there once, at least two arms, and no setting that two experiments turn, because a
 * difference could then not be laid to either. Arms that are all the same are allowed: they show how much chance there is in the figures.
 */
export function* checkExperiments({ experiments, reranker }: PartialConfig): Generator<CrossFault> {
  if ((experiments ?? []).length > MAX_EXPERIMENTS)
    yield { path: 'experiments', problem: `expected at most ${MAX_EXPERIMENTS}; got ${experiments?.length}` };
  const names = new Map<string, number>();
  const turnedBy = new Map<string, string>();
  for (const [index, experiment] of (experiments ?? []).entries()) {
    if (!experiment) continue;
    const path = `experiments[${index}]`;
    const first = names.get(experiment.name);
    if (first !== undefined)
      yield {
        path: `${path}.name`,
        problem: `${JSON.stringify(experiment.name)} is also the name of experiments[${first}]`,
      };
    else names.set(experiment.name, index);
    const arms = experiment.arms ?? [];
    if (arms.length < 2 || arms.length > MAX_ARMS)
      yield { path: `${path}.arms`, problem: `expected 2 to ${MAX_ARMS} arms, to compare; got ${arms.length}` };
    const armNames = new Set<string>();
    for (const [at, arm] of arms.entries()) {
      if (armNames.has(arm.name))
        yield { path: `${path}.arms[${at}].name`, problem: `the arm ${JSON.stringify(arm.name)} is listed before` };
      armNames.add(arm.name);
      if (arm.rerank === 'always' && (reranker?.kind ?? 'none') === 'none')
        yield { path: `${path}.arms[${at}].rerank`, problem: '`always` needs a `reranker`' };
    }
    const turned = SETTINGS.filter((setting) => arms.some((arm) => arm[setting] !== undefined));
    for (const setting of turned) {
      const other = turnedBy.get(setting);
      if (other !== undefined)
        yield {
          path: `${path}.arms`,
          problem: `\`${setting}\` is also set by experiment ${JSON.stringify(other)}; only one may`,
        };
      else turnedBy.set(setting, experiment.name);
    }
  }
}
