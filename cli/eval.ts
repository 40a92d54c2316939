import { homedir } from 'node:os';
import { join } from 'node:path';
import { ANSWER_SETS, runAnswersSuite } from '../eval/answers/answers-suite.ts';
import { CHUNKING_SETS, runChunkingSuite } from '../eval/chunking/chunking-suite.ts';
import { answersPage } from '../eval/report/answers-page.ts';
import { answersText } from '../eval/report/answers-table.ts';
import { chunkingPage } from '../eval/report/chunking-page.ts';
import { chunkingText } from '../eval/report/chunking-table.ts';
import { htmlReport } from '../eval/report/html-report.ts';
import { textTable } from '../eval/report/text-table.ts';
import { answersSets, chunkingSets, retrievalSets } from '../eval/results/measured-sets.ts';
import { RETRIEVAL_SETS, runRetrievalSuite, type RetrievalSuiteOptions } from '../eval/retrieval/retrieval-suite.ts';
import { parseConfig } from '../runtime/config/load-config.ts';
import type { Environment } from '../runtime/config/environment-references.ts';
import { InvalidUsage } from '../runtime/errors.ts';
import { evalCompare, evalHistory } from './eval-compare.ts';
import { evalGate } from './eval-gate.ts';
import { earlierRun, footer } from './eval-footer.ts';
import { evaluateGolden } from './eval-golden.ts';
import { evaluateJudges } from './eval-judges.ts';
import { evalFreshness, evalLeaks } from './eval-probe.ts';
import { keepRun } from './eval-keep.ts';
import type { ExitCode, Flags, VerbContext } from './verb.ts';

const DEFAULT_DATA = '../shared/data/eval';
const SUITES: readonly string[] = ['retrieval', 'answers', 'chunking', 'golden', 'judges'];
/** Parameters of a webhook source that no one sends to: a config needs a source. */
const UNUSED_SOURCE = {
  name: 'eval',
  kind: 'webhook',
  signature: { scheme: 'standard-webhooks', secret: 'whsec_bm90IHVzZWQgYnkgYW55Ym9keQ==' },
};

/**
 * Measures how well relevant documents are found, how well passages are cut, or how far answers can be trusted; prints the table and writes
 * it as a page and, beside it, as JSON. Every run is kept, query by query, for `eval compare` and `eval history`.
 */
export async function evaluate(context: VerbContext): Promise<ExitCode> {
  const { words } = context;
  switch (words[0]) {
    case undefined:
      return evaluateSuite(context);
    case 'compare':
      return evalCompare(context);
    case 'history':
      return evalHistory(context, SUITES);
    case 'gate':
      return evaluateGate(context);
    case 'freshness':
      return evalFreshness(context);
    case 'leaks':
      return evalLeaks(context);
    default:
      throw new InvalidUsage(`eval has no part ${words[0]}; there are: compare, history, gate, freshness, leaks`);
  }
}

async function evaluateSuite(context: VerbContext): Promise<ExitCode> {
  const { flags } = context;
  const suite = textOf(flags, 'suite') ?? 'retrieval';
  if (!SUITES.includes(suite)) throw new InvalidUsage(`there is no suite ${suite}; there are: ${SUITES.join(', ')}`);
  if (suite === 'golden') return evaluateGolden(context, configOf(flags), cacheFolder(context.env));
  if (suite === 'judges') return evaluateJudges(context, suiteOptions(context, []));
  if (suite === 'chunking') return evaluateChunking(context);
  return suite === 'answers' ? evaluateAnswers(context) : evaluateRetrieval(context);
}

async function evaluateRetrieval(context: VerbContext): Promise<ExitCode> {
  const earlier = await earlierRun(context.flags);
  const options = suiteOptions(context, RETRIEVAL_SETS);
  const report = await runRetrievalSuite(options, context.signal);
  const { model } = report;
  const parts = { suite: 'retrieval', model, config: options.config, html: htmlReport(report) };
  const kept = await keepRun({ ...parts, report, sets: retrievalSets(report) }, context);
  context.output.result(report, () => [...textTable(report), ...footer(kept, earlier)]);
  return 0;
}

async function evaluateAnswers(context: VerbContext): Promise<ExitCode> {
  const earlier = await earlierRun(context.flags);
  const options = suiteOptions(context, ANSWER_SETS);
  const report = await runAnswersSuite(options, context.signal);
  const parts = { suite: 'answers', model: report.generator, config: options.config, html: answersPage(report) };
  const kept = await keepRun({ ...parts, report, sets: answersSets(report) }, context);
  context.output.result(report, () => [...answersText(report), ...footer(kept, earlier)]);
  return 0;
}

function evaluateGate(context: VerbContext): Promise<ExitCode> {
  const { flags } = context;
  const settings = { retrieval: configOf(flags), golden: configOf(flags, { kind: 'hash' }) };
  const options = { ...suiteOptions(context, []), vectorFile: ':memory:' };
  return evalGate(context, options, settings);
}

async function evaluateChunking(context: VerbContext): Promise<ExitCode> {
  if (textOf(context.flags, 'reranker') !== undefined)
    throw new InvalidUsage('the suite chunking measures without a reranker; leave --reranker out');
  const earlier = await earlierRun(context.flags);
  const options = suiteOptions(context, CHUNKING_SETS);
  const report = await runChunkingSuite(options, context.signal);
  const parts = { suite: 'chunking', model: report.model, config: options.config, html: chunkingPage(report) };
  const kept = await keepRun({ ...parts, report, sets: chunkingSets(report) }, context);
  context.output.result(report, () => [...chunkingText(report), ...footer(kept, earlier)]);
  return 0;
}

function suiteOptions({ flags, env, clock, output }: VerbContext, sets: readonly string[]): RetrievalSuiteOptions {
  return {
    dataRoot: textOf(flags, 'data') ?? DEFAULT_DATA,
    sets: textOf(flags, 'sets')?.split(',') ?? sets,
    vectorFile: join(cacheFolder(env), 'vectors.db'),
    config: parseConfig(configOf(flags), {}, 'the flags of eval'),
    clock,
    say: (line) => output.warn(line),
  };
}

/** The settings that the product ships with, but for what a flag changes. @param embedderKind another embedder's settings. */
function configOf(flags: Flags, embedderKind: object = {}): string {
  const number = (name: string) => (flags[name] === undefined ? undefined : Number(flags[name]));
  const chunk = { maxTokens: number('max-tokens'), overlapTokens: number('overlap-tokens') };
  const embedder = { ...embedderKind, threads: number('threads') };
  const url = textOf(flags, 'reranker');
  const kind = url === 'onnx' ? { kind: 'onnx' } : { kind: 'tei', url };
  const reranker = url === undefined ? {} : { ...kind, candidates: number('candidates') };
  return JSON.stringify({ sources: [UNUSED_SOURCE], pipeline: { chunk }, embedder, reranker });
}

/** Where vectors are kept between runs: outside of every checkout. */
function cacheFolder(env: Environment): string {
  return join(env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'freshet', 'eval');
}

function textOf(flags: Flags, name: string): string | undefined {
  const value = flags[name];
  return typeof value === 'string' ? value : undefined;
}
