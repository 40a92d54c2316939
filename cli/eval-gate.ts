import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { holdToBaseline, updatedBaseline, type GateVerdict } from '../eval/gate/hold-to-baseline.ts';
import { comparisonText } from '../eval/report/comparison-text.ts';
import { goldenSets, retrievalSets } from '../eval/results/measured-sets.ts';
import { resultOf, type EvalResult } from '../eval/results/result.ts';
import { readResult } from '../eval/results/results-folder.ts';
import { runRetrievalSuite, type RetrievalSuiteOptions } from '../eval/retrieval/retrieval-suite.ts';
import { parseConfig } from '../runtime/config/load-config.ts';
import { InvalidUsage } from '../runtime/errors.ts';
import { measureGolden } from './eval-golden.ts';
import { measuredNow } from './eval-keep.ts';
import { textFlag } from './parse-flags.ts';
import type { ExitCode, VerbContext } from './verb.ts';

/** Small enough that a change waits a minute for it: 82 documents with the model that ships. */
const GATE_SETS: readonly string[] = ['adi'];
/** One metric a leg: recall and MRR move with it, and every further comparison asks for a greater fall before it counts as evidence. */
const GATE_METRIC = /nDCG@10$/;
const DEFAULT_FOLDER = 'eval/gate/baseline';

/** What the gate measures with, as the text of a config file. */
export interface GateSettings {
  /** The settings that ship. */
  readonly retrieval: string;
  /**
   * The same with hashed words for a model: 214 questions over the demo's documents would take five minutes of embedding, and what they
   * ask of (cutting, words, packing, refusing, citing) has no model in it.
   */
  readonly golden: string;
}

/**
 * `eval gate`: measures what is quick to measure and holds it to the figures in the tree, query by query; with `--update` makes them the
 * ones to hold to.
 * @returns 1 when a metric fell and chance does not explain it, else 0.
 */
export async function evalGate(
  context: VerbContext,
  options: RetrievalSuiteOptions,
  settings: GateSettings,
): Promise<ExitCode> {
  const { words, flags, output } = context;
  if (words.length > 1) throw new InvalidUsage('usage: freshet eval gate [--update] [--baseline eval/gate/baseline]');
  const folder = textFlag(flags, 'baseline') ?? DEFAULT_FOLDER;
  const isUpdate = flags['update'] === true;
  const suites = ['retrieval', 'golden'];
  const baselines = await Promise.all(suites.map((suite) => baselineOf(join(folder, `${suite}.json`), isUpdate)));
  const runs = [
    await retrievalRun({ ...options, sets: GATE_SETS }, settings, context),
    await goldenRun(settings, context),
  ];
  if (isUpdate) {
    await mkdir(folder, { recursive: true });
    for (const [index, run] of runs.entries())
      await writeFile(join(folder, `${run.suite}.json`), `${JSON.stringify(updatedBaseline(baselines[index], run))}\n`);
    output.result({ updated: folder }, () => [
      `The gate now holds to what is in ${folder}; commit it with the reason.`,
    ]);
    return 0;
  }
  const verdicts = runs.flatMap((run, index) => {
    const baseline = baselines[index];
    return baseline ? [holdToBaseline(baseline, run)] : [];
  });
  output.result(verdicts, (each) => each.flatMap(linesOf));
  return verdicts.every(({ passes }) => passes) ? 0 : 1;
}

async function retrievalRun(
  options: RetrievalSuiteOptions,
  { retrieval }: GateSettings,
  { clock, signal }: VerbContext,
): Promise<EvalResult> {
  const config = parseConfig(retrieval, {}, 'the settings of the gate');
  const report = await runRetrievalSuite({ ...options, config }, signal);
  const measured = await measuredNow({ suite: 'retrieval', model: report.model, config }, clock);
  const sets = retrievalSets(report).map((each) => ({
    ...each,
    metrics: each.metrics.filter(({ metric }) => GATE_METRIC.test(metric)),
  }));
  return resultOf(measured, sets);
}

async function goldenRun({ golden }: GateSettings, context: VerbContext): Promise<EvalResult> {
  const config = parseConfig(golden, {}, 'the settings of the gate');
  const report = await measureGolden(config, ':memory:', context);
  const model = `${report.model}, ${report.generator}`;
  return resultOf(await measuredNow({ suite: 'golden', model, config }, context.clock), goldenSets(report));
}

/** @throws InvalidUsage when there is none to hold to, and none is to be made. */
async function baselineOf(path: string, isUpdate: boolean): Promise<EvalResult | undefined> {
  try {
    return await readResult(path);
  } catch (cause) {
    const isMissing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
    if (isMissing && isUpdate) return undefined;
    const mend = 'run it where the repository is, or make one with `npm run eval:gate -- --update`';
    throw new InvalidUsage(isMissing ? `there is no baseline ${path}: ${mend}` : (cause as Error).message, { cause });
  }
}

function linesOf({ suite, comparison, notMeasured, passes }: GateVerdict): readonly string[] {
  return [
    ...(comparison ? comparisonText(comparison) : []),
    ...notMeasured.map((set) => `${set} is not on this machine: not held to anything.`),
    passes
      ? `${suite}: passes`
      : `${suite}: FAILS. Mend it, or accept the figures with \`npm run eval:gate -- --update\` and say why in the commit.`,
    '',
  ];
}
