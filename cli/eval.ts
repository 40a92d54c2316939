import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { htmlReport } from '../eval/report/html-report.ts';
import { differenceTable, textTable } from '../eval/report/text-table.ts';
import { RETRIEVAL_SETS, runRetrievalSuite, type RetrievalReport } from '../eval/retrieval/retrieval-suite.ts';
import { parseConfig } from '../runtime/config/load-config.ts';
import type { Environment } from '../runtime/config/environment-references.ts';
import { InvalidUsage } from '../runtime/errors.ts';
import { evaluateGolden } from './eval-golden.ts';
import type { ExitCode, Flags, VerbContext } from './verb.ts';

const DEFAULT_DATA = '../shared/data/eval';
const DEFAULT_OUT = '.freshet/eval/retrieval.html';
/** Parameters of a webhook source that no one sends to: a config needs a source. */
const UNUSED_SOURCE = {
  name: 'eval',
  kind: 'webhook',
  signature: { scheme: 'standard-webhooks', secret: 'whsec_bm90IHVzZWQgYnkgYW55Ym9keQ==' },
};

/** Runs the suite that is asked for. That of retrieval measures how well relevant documents are found; prints the table and writes it as a page and, beside it, as JSON. */
export async function evaluate(context: VerbContext): Promise<ExitCode> {
  const { flags, env, clock, output, signal } = context;
  const suite = flags['suite'] ?? 'retrieval';
  if (suite === 'golden') return evaluateGolden(context, configOf(flags), cacheFolder(env));
  if (suite !== 'retrieval') throw new InvalidUsage(`there is no suite ${String(suite)}; there are: retrieval, golden`);
  const earlier = await readReport(textOf(flags, 'against'));
  const report = await runRetrievalSuite(
    {
      dataRoot: textOf(flags, 'data') ?? DEFAULT_DATA,
      sets: textOf(flags, 'sets')?.split(',') ?? RETRIEVAL_SETS,
      vectorFile: join(cacheFolder(env), 'vectors.db'),
      config: parseConfig(configOf(flags), {}, 'the flags of eval'),
      clock,
      say: (line) => output.warn(line),
    },
    signal,
  );
  const page = textOf(flags, 'out') ?? DEFAULT_OUT;
  await mkdir(dirname(page), { recursive: true });
  await writeFile(page, htmlReport(report));
  await writeFile(page.replace(/(\.html)?$/, '.json'), JSON.stringify(report));
  output.result(report, () => [
    ...textTable(report),
    ...(earlier ? ['', ...differenceTable(earlier, report)] : []),
    '',
    `The page is ${page}.`,
  ]);
  return 0;
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
