import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { runGoldenSuite, type GoldenReport } from '../eval/golden/golden-suite.ts';
import { readGolden } from '../eval/golden/read-golden.ts';
import { goldenPage } from '../eval/report/golden-page.ts';
import { goldenText } from '../eval/report/golden-table.ts';
import { goldenSets } from '../eval/results/measured-sets.ts';
import { openVectorFile } from '../eval/retrieval/vector-file.ts';
import { openEmbedder, openGenerator } from '../ports/registry.ts';
import { systemRandom } from '../runtime/clock.ts';
import type { ResolvedConfig } from '../runtime/config/config.ts';
import { parseConfig } from '../runtime/config/load-config.ts';
import { InvalidUsage } from '../runtime/errors.ts';
import { silentLogger } from '../runtime/logger.ts';
import { createMetrics } from '../runtime/metrics.ts';
import { demoDocuments, installedPackages, type DemoDocument } from './demo/demo-documents.ts';
import { earlierRun, footer } from './eval-footer.ts';
import { keepRun } from './eval-keep.ts';
import type { ExitCode, VerbContext } from './verb.ts';

/** Flags that only the other suites read. */
const FOREIGN: readonly string[] = ['data', 'sets', 'reranker', 'candidates'];

/**
 * Asks our own questions of an index of the demo's documents and prints, class by class, how many found their documents, were refused,
 * and cite what answers them.
 * @throws InvalidUsage for a flag that only the other suites read.
 * @param config settings to measure, as the text of a config file. @param vectorFolder keeps vectors between runs.
 */
export async function evaluateGolden(context: VerbContext, config: string, vectorFolder: string): Promise<ExitCode> {
  const { flags, output } = context;
  const foreign = FOREIGN.filter((name) => flags[name] !== undefined);
  if (foreign.length > 0)
    throw new InvalidUsage(`the suite golden does not know --${foreign.join(', --')}; that is for the suite retrieval`);
  const earlier = await earlierRun(flags);
  const resolved = parseConfig(config, {}, 'the flags of eval');
  const report = await measureGolden(resolved, vectorFolder, context);
  const { model, generator } = report;
  const parts = { suite: 'golden', model: `${model}, ${generator}`, config: resolved, html: goldenPage(report) };
  const kept = await keepRun({ ...parts, report, sets: goldenSets(report) }, context);
  output.result(report, () => [...goldenText(report), ...footer(kept, earlier)]);
  return 0;
}

/** Runs the suite over the documents that the demo would index. @param vectorFolder keeps vectors between runs; `:memory:` for none. */
export async function measureGolden(
  config: ResolvedConfig,
  vectorFolder: string,
  { clock, output, signal }: Pick<VerbContext, 'clock' | 'output' | 'signal'>,
): Promise<GoldenReport> {
  const isKept = vectorFolder !== ':memory:';
  if (isKept) await mkdir(vectorFolder, { recursive: true });
  const metrics = createMetrics();
  const parts = { clock, random: systemRandom, logger: silentLogger, metrics };
  await using embedder = await openEmbedder(config, parts, signal);
  await using generator = await openGenerator(config, parts);
  await using cache = openVectorFile(isKept ? join(vectorFolder, 'vectors.db') : ':memory:');
  const documents: DemoDocument[] = [];
  for await (const document of demoDocuments(installedPackages())) documents.push(document);
  const questions = await readGolden();
  const say = (line: string) => output.warn(line);
  const suite = { questions, documents, embedder, generator, cache, config: config.pipeline, clock, metrics, say };
  return await runGoldenSuite(suite, signal); // everything stays open until it is done
}
