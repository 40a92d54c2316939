import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { runGoldenSuite, type GoldenReport } from '../eval/golden/golden-suite.ts';
import { readGolden } from '../eval/golden/read-golden.ts';
import { openVectorFile } from '../eval/retrieval/vector-file.ts';
import { openEmbedder, openGenerator } from '../ports/registry.ts';
import { systemRandom } from '../runtime/clock.ts';
import { parseConfig } from '../runtime/config/load-config.ts';
import { InvalidUsage } from '../runtime/errors.ts';
import { silentLogger } from '../runtime/logger.ts';
import { createMetrics } from '../runtime/metrics.ts';
import { demoDocuments, installedPackages, type DemoDocument } from './demo/demo-documents.ts';
import type { ExitCode, VerbContext } from './verb.ts';

/**
 * Asks our own questions of an index of the demo's documents and prints, kind by kind, how many found their documents, were refused,
 * and cite what answers them.
 * @throws InvalidUsage for a flag that only the other suite reads.
 * @param config settings to measure, as the text of a config file. @param vectorFolder keeps vectors between runs.
 */
export async function evaluateGolden(
  { flags, clock, output, signal }: VerbContext,
  config: string,
  vectorFolder: string,
): Promise<ExitCode> {
  const foreign = ['data', 'sets', 'out', 'against', 'reranker', 'candidates'].filter(
    (name) => flags[name] !== undefined,
  );
  if (foreign.length > 0)
    throw new InvalidUsage(`the suite golden does not know --${foreign.join(', --')}; that is for the suite retrieval`);
  const resolved = parseConfig(config, {}, 'the flags of eval');
  await mkdir(vectorFolder, { recursive: true });
  const metrics = createMetrics();
  const parts = { clock, random: systemRandom, logger: silentLogger, metrics };
  await using embedder = await openEmbedder(resolved, parts, signal);
  await using generator = await openGenerator(resolved, parts);
  await using cache = openVectorFile(join(vectorFolder, 'vectors.db'));
  const documents: DemoDocument[] = [];
  for await (const document of demoDocuments(installedPackages())) documents.push(document);
  const report = await runGoldenSuite(
    {
      questions: await readGolden(),
      documents,
      embedder,
      generator,
      cache,
      config: resolved.pipeline,
      clock,
      metrics,
      say: (line) => output.warn(line),
    },
    signal,
  );
  output.result(report, goldenTable);
  return 0;
}

function goldenTable({ model, generator, documents, scores }: GoldenReport): readonly string[] {
  const percent = (share: number | undefined) =>
    (share === undefined ? '-' : `${(100 * share).toFixed(1)} %`).padStart(9);
  return [
    `${documents} documents, embedder ${model}, generator ${generator}`,
    `${'questions'.padEnd(22)}${['found', 'refused', 'cited'].map((name) => name.padStart(9)).join('')}`,
    ...scores.map(
      ({ kind, questions, found, refused, cited }) =>
        `${`${questions} ${kind}`.padEnd(22)}${[found, refused, cited].map(percent).join('')}`,
    ),
  ];
}
