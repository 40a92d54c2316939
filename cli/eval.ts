import { appendFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { ANSWER_SETS, runAnswersSuite } from '../eval/answers/answers-suite.ts';
import { CHUNKING_SETS, runChunkingSuite } from '../eval/chunking/chunking-suite.ts';
import { answersPage } from '../eval/report/answers-page.ts';
import { answersText } from '../eval/report/answers-table.ts';
import { chunkingPage } from '../eval/report/chunking-page.ts';
import { chunkingText } from '../eval/report/chunking-table.ts';
import { htmlReport } from '../eval/report/html-report.ts';
import { differenceTable, textTable } from '../eval/report/text-table.ts';
import {
  RETRIEVAL_SETS,
  runRetrievalSuite,
  type RetrievalReport,
  type RetrievalSuiteOptions,
} from '../eval/retrieval/retrieval-suite.ts';
import { parseConfig } from '../runtime/config/load-config.ts';
import type { Environment } from '../runtime/config/environment-references.ts';
import { InvalidUsage } from '../runtime/errors.ts';
import { evaluateGolden } from './eval-golden.ts';
import type { ExitCode, Flags, VerbContext } from './verb.ts';

const DEFAULT_DATA = '../shared/data/eval';
const OUT_FOLDER = '.freshet/eval';
const SUITES: readonly string[] = ['retrieval', 'answers', 'chunking', 'golden'];
/** Parameters of a webhook source that no one sends to: a config needs a source. */
const UNUSED_SOURCE = {
  name: 'eval',
  kind: 'webhook',
  signature: { scheme: 'standard-webhooks', secret: 'whsec_bm90IHVzZWQgYnkgYW55Ym9keQ==' },
};

/**
 * Measures how well relevant documents are found, how well passages are cut, or how far answers can be trusted; prints the table and, but for our own questions, writes it as a page and, beside
 * it, as JSON. Every run adds a line to the suite's history.
 */
export async function evaluate(context: VerbContext): Promise<ExitCode> {
  const { flags } = context;
  const suite = textOf(flags, 'suite') ?? 'retrieval';
  if (!SUITES.includes(suite)) throw new InvalidUsage(`there is no suite ${suite}; there are: ${SUITES.join(', ')}`);
  if (suite === 'golden') return evaluateGolden(context, configOf(flags), cacheFolder(context.env));
  if (suite !== 'retrieval' && textOf(flags, 'against') !== undefined)
    throw new InvalidUsage('--against compares runs of the suite retrieval only');
  if (suite === 'chunking') return evaluateChunking(context);
  return suite === 'answers' ? evaluateAnswers(context) : evaluateRetrieval(context);
}

async function evaluateRetrieval(context: VerbContext): Promise<ExitCode> {
  const { flags, output, signal } = context;
  const earlier = await readReport(textOf(flags, 'against'));
  const report = await runRetrievalSuite(suiteOptions(context, RETRIEVAL_SETS), signal);
  const page = await keep('retrieval', report, htmlReport(report), context);
  output.result(report, () => [
    ...textTable(report),
    ...(earlier ? ['', ...differenceTable(earlier, report)] : []),
    '',
    `The page is ${page}.`,
  ]);
  return 0;
}

async function evaluateAnswers(context: VerbContext): Promise<ExitCode> {
  const report = await runAnswersSuite(suiteOptions(context, ANSWER_SETS), context.signal);
  const page = await keep('answers', report, answersPage(report), context);
  context.output.result(report, () => [...answersText(report), '', `The page is ${page}.`]);
  return 0;
}

async function evaluateChunking(context: VerbContext): Promise<ExitCode> {
  if (textOf(context.flags, 'reranker') !== undefined)
    throw new InvalidUsage('the suite chunking measures without a reranker; leave --reranker out');
  const report = await runChunkingSuite(suiteOptions(context, CHUNKING_SETS), context.signal);
  const page = await keep('chunking', report, chunkingPage(report), context);
  context.output.result(report, () => [...chunkingText(report), `The page is ${page}.`]);
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

/** Writes the page, the figures beside it, and a line of the history. @returns where the page is. */
async function keep(suite: string, report: object, html: string, { flags, clock }: VerbContext): Promise<string> {
  const page = textOf(flags, 'out') ?? `${OUT_FOLDER}/${suite}.html`;
  await mkdir(dirname(page), { recursive: true });
  await writeFile(page, html);
  await writeFile(page.replace(/(\.html)?$/, '.json'), JSON.stringify(report));
  const line = JSON.stringify({ measuredAt: new Date(clock.now()).toISOString(), ...report });
  await appendFile(page.replace(/(\.html)?$/, '.history.jsonl'), `${line}\n`);
  return page;
}

/** The settings that the product ships with, but for what a flag changes. */
function configOf(flags: Flags): string {
  const number = (name: string) => (flags[name] === undefined ? undefined : Number(flags[name]));
  const chunk = { maxTokens: number('max-tokens'), overlapTokens: number('overlap-tokens') };
  const embedder = { threads: number('threads') };
  const url = textOf(flags, 'reranker');
  const reranker = url === undefined ? {} : { kind: 'tei', url, candidates: number('candidates') };
  return JSON.stringify({ sources: [UNUSED_SOURCE], pipeline: { chunk }, embedder, reranker });
}

/** Where vectors are kept between runs: outside of every checkout. */
function cacheFolder(env: Environment): string {
  return join(env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'freshet', 'eval');
}

async function readReport(path: string | undefined): Promise<RetrievalReport | undefined> {
  if (path === undefined) return undefined;
  try {
    return JSON.parse(await readFile(path, 'utf8')) as RetrievalReport;
  } catch (cause) {
    throw new InvalidUsage(`${path} is not the JSON of an earlier run`, { cause });
  }
}

function textOf(flags: Flags, name: string): string | undefined {
  const value = flags[name];
  return typeof value === 'string' ? value : undefined;
}
