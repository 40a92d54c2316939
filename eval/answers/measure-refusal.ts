import type { Generator } from '../../ports/generator/generator.ts';
import { seededRandom } from '../../runtime/seeded-random.ts';
import { decisionMetrics, type Decision, type DecisionResult } from '../metrics/decision-metrics.ts';
import type { RefusalCase } from './refusal-cases.ts';

/** The same intervals at every run. */
const SEED = 1;

/** Gives a generator each question with its passages as a prompt has them. Yes is an answer, no is a refusal. */
export async function measureRefusal(
  cases: readonly RefusalCase[],
  generator: Generator,
  signal: AbortSignal,
): Promise<DecisionResult> {
  const decisions: Decision[] = [];
  for (const { question, passages, answerable } of cases) {
    const packed = passages.map(({ title, text }, index) => ({ marker: index + 1, rank: index + 1, title, text }));
    let said = false;
    for await (const event of generator.generate({ question, passages: packed }, signal))
      if (event.kind === 'done') said = !event.refused;
    decisions.push({ expected: answerable, said });
  }
  return decisionMetrics(decisions, seededRandom(SEED));
}
