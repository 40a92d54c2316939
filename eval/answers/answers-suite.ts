import type { Generator } from '../../ports/generator/generator.ts';
import { openEmbedder, openGenerator } from '../../ports/registry.ts';
import { checkSupport } from '../../query-api/answer/support/check-support.ts';
import { systemRandom } from '../../runtime/clock.ts';
import { silentLogger } from '../../runtime/logger.ts';
import { createMetrics } from '../../runtime/metrics.ts';
import { seededRandom } from '../../runtime/seeded-random.ts';
import { decisionMetrics, type DecisionResult } from '../metrics/decision-metrics.ts';
import { readSet } from '../retrieval/read-set.ts';
import type { RetrievalSuiteOptions } from '../retrieval/retrieval-suite.ts';
import { openVectorFile } from '../retrieval/vector-file.ts';
import { measureProduct, type ProductResult } from './measure-product.ts';
import { measureRefusal } from './measure-refusal.ts';
import { rgbCases, xquadCases } from './refusal-cases.ts';
import { summeditsPairs, wicePairs, type SupportPair } from './support-pairs.ts';

/** What can be measured. Folders below the data root. */
export const ANSWER_SETS: readonly string[] = [
  'summedits',
  'wice',
  'rgb/en_fact',
  'rgb/zh_fact',
  'xquad/en',
  'xquad/zh',
  'xquad/de',
  'xquad/ar',
  'anthropic-docs-rag',
];

/** Whose questions a documentation cannot answer. */
const FOREIGN_SETS: readonly string[] = ['scifact', 'cranfield', 'hotpotqa-sample100', 'adi'];
const FOREIGN_QUESTIONS = 35;
/** The same intervals at every run. */
const SEED = 1;

/** A judge's decisions on one set, or on one part of it. */
export interface NamedDecisions {
  readonly name: string;
  readonly result: DecisionResult;
}

export interface AnswersReport {
  readonly suite: 'answers';
  readonly generator: string;
  /** Yes: answered. */
  readonly refusal: readonly NamedDecisions[];
  /** Yes: the evidence bears the claim out. */
  readonly support: readonly NamedDecisions[];
  /** The whole query path, by set. */
  readonly product: readonly ({ readonly name: string } & ProductResult)[];
  /** Sets that are not below the data root. */
  readonly missing: readonly string[];
}

/** Measures refusals, the support checker and citations on every set that is there. @throws FreshetError when the model fails. */
export async function runAnswersSuite(options: RetrievalSuiteOptions, signal: AbortSignal): Promise<AnswersReport> {
  const { dataRoot, say } = options;
  const { config, clock } = options;
  const engine = { clock, random: systemRandom, logger: silentLogger };
  await using generator = await openGenerator(config, engine);
  const refusal: NamedDecisions[] = [];
  const support: NamedDecisions[] = [];
  const product: AnswersReport['product'][number][] = [];
  const missing: string[] = [];
  for (const name of options.sets) {
    signal.throwIfAborted();
    say(`${name} ...`);
    if (name === 'wice' || name === 'summedits') {
      const pairs = await (name === 'wice' ? wicePairs(dataRoot) : summeditsPairs(dataRoot));
      if (pairs) support.push(...measureSupport(pairs));
      else missing.push(name);
    } else if (/^(?:rgb|xquad)\//.test(name)) {
      const cases = await (name.startsWith('rgb/') ? rgbCases : xquadCases)(dataRoot, name);
      if (cases) refusal.push({ name, result: await measureRefusal(cases, generator, signal) });
      else missing.push(name);
    } else {
      const measured = await measureIndexed(name, options, generator, signal);
      if (measured) product.push({ name, ...measured });
      else missing.push(name);
    }
  }
  return { suite: 'answers', generator: generator.model, refusal, support, product, missing };
}

/** Decisions of the support checker, part by part. */
export function measureSupport(pairs: readonly SupportPair[]): readonly NamedDecisions[] {
  const decided = pairs.map(({ part, supported, claim, evidence }) => ({
    part,
    expected: supported,
    said: checkSupport(claim, evidence).supported,
  }));
  return [...new Set(pairs.map(({ part }) => part))].map((name) => ({
    name,
    result: decisionMetrics(
      decided.filter(({ part }) => part === name),
      seededRandom(SEED),
    ),
  }));
}

async function measureIndexed(
  name: string,
  { dataRoot, config, clock, vectorFile, say }: RetrievalSuiteOptions,
  generator: Generator,
  signal: AbortSignal,
): Promise<ProductResult | undefined> {
  const set = await readSet(dataRoot, name);
  if (!set) return undefined;
  const others = await Promise.all(FOREIGN_SETS.map((each) => readSet(dataRoot, each)));
  const foreign = others.flatMap((each) => each?.queries.slice(0, FOREIGN_QUESTIONS).map(({ text }) => text) ?? []);
  await using embedder = await openEmbedder(config, { clock, random: systemRandom, logger: silentLogger }, signal);
  await using cache = openVectorFile(vectorFile);
  const onProgress = (done: number) => say(`${name}: ${done} of ${set.documents.length} documents`);
  const parts = { embedder, generator, cache, config: config.pipeline, clock, metrics: createMetrics(), onProgress };
  return await measureProduct(set, foreign, parts, signal); // both stay open until it is done
}
