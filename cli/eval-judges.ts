import { calibrateJudges, ratedAnswers } from '../eval/judges/calibrate-judges.ts';
import { ruleJudges } from '../eval/judges/rule-judges.ts';
import { judgesText } from '../eval/report/judges-table.ts';
import type { RetrievalSuiteOptions } from '../eval/retrieval/retrieval-suite.ts';
import { openEmbedder } from '../ports/registry.ts';
import { systemRandom } from '../runtime/clock.ts';
import { InvalidUsage } from '../runtime/errors.ts';
import { silentLogger } from '../runtime/logger.ts';
import type { ExitCode, VerbContext } from './verb.ts';

/** Prints how far each judge of answers goes with people who rated the same answers. */
export async function evaluateJudges(
  { flags, output, signal }: VerbContext,
  { dataRoot, config, clock, say }: RetrievalSuiteOptions,
): Promise<ExitCode> {
  const foreign = ['sets', 'against', 'reranker', 'candidates', 'out'].filter((name) => flags[name] !== undefined);
  if (foreign.length > 0) throw new InvalidUsage(`the suite judges does not know --${foreign.join(', --')}`);
  const answers = await ratedAnswers(dataRoot);
  if (!answers) throw new InvalidUsage(`mtrag-human-eval-subset is not in ${dataRoot}; say where it is with --data`);
  say(`${answers.length} answers`);
  await using embedder = await openEmbedder(config, { clock, random: systemRandom, logger: silentLogger }, signal);
  const rows = await calibrateJudges(answers, ruleJudges(embedder, signal));
  output.result(rows, judgesText);
  return 0;
}
