import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openSqliteDocumentStore } from '../../ports/document-store/sqlite-document-store.ts';
import { extractiveGenerator } from '../../ports/generator/extractive-generator.ts';
import { openEmbedder } from '../../ports/registry.ts';
import { systemClock, systemRandom } from '../../runtime/clock.ts';
import { normaliseQuestion } from '../../query-api/answer/cache/answer-key.ts';
import { parseConfig } from '../../runtime/config/load-config.ts';
import { silentLogger } from '../../runtime/logger.ts';
import { createMetrics } from '../../runtime/metrics.ts';
import { seededRandom } from '../../runtime/seeded-random.ts';
import { askPatiently } from '../answers/ask-patiently.ts';
import { fillStore } from '../retrieval/fill-store.ts';
import { readSet, type RetrievalSet } from '../retrieval/read-set.ts';
import { openVectorFile } from '../retrieval/vector-file.ts';
import { costs } from './costs.ts';
import { GUARDS } from './guards.ts';
import { otherBy, sameBut, shuffled, type Pair } from './pairs.ts';

/*
 * What an answer cache would gain and spoil that took another wording for the same question (decision 23):
 * `node dist/eval/rewordings/main.js <vector file> [<folder of the sets>]`. Without the sets it says so and measures nothing.
 */

const SETS = ['xquad/en', 'rgb/en_fact', 'anthropic-docs-rag', 'hotpotqa-sample100'];
const THRESHOLDS = [0.8, 0.9, 0.94, 0.96, 0.97, 0.98, 0.99];
/** Questions of a set that are reworded. */
const REWORDED = 300;
const NEIGHBOURS = 3;
const SEED = 23;

const COLUMNS = ['guard', 'evidence', 'cosine', 'template', 'person', 'wrong neighbours', 'wrong edits'];

/** A question as the cache sees it. */
interface Seen {
  readonly vector: Float32Array;
  /** Passages that were found, best first. */
  readonly found: readonly string[];
  /** Passages that the answer cites; empty when it would not be kept. */
  readonly cited: readonly string[];
}

/** Rules about what was found for the second question, from lax to strict. */
const EVIDENCE: Readonly<Record<string, (first: Seen, second: Seen) => boolean>> = {
  'cited are found': (first, second) => first.cited.every((id) => second.found.includes(id)),
  'equal down to the last cited': (first, second) => {
    const depth = 1 + Math.max(...first.cited.map((id) => first.found.indexOf(id)));
    return first.found.slice(0, depth).join() === second.found.slice(0, depth).join();
  },
  'equal sets': (first, second) => first.found.toSorted().join() === second.found.toSorted().join(),
};

type Judged = Pair & { readonly seen: readonly [Seen, Seen]; readonly cosine: number };

async function main([vectorFile, root = '../shared/data/eval']: readonly string[]): Promise<void> {
  if (vectorFile === undefined) throw new RangeError('name a file for vectors');
  const signal = new AbortController().signal;
  const parts = { clock: systemClock, random: systemRandom, logger: silentLogger, metrics: createMetrics() };
  const source = { name: 'a', kind: 'webhook', signature: { scheme: 'standard-webhooks', secret: 'whsec_x' } };
  const config = parseConfig(JSON.stringify({ sources: [source] }), {}, 'rewordings');
  await using embedder = await openEmbedder(config, parts, signal);
  await using cache = openVectorFile(vectorFile);
  const judged: Judged[] = [];
  for (const name of SETS) {
    const set = await readSet(root, name);
    if (!set) {
      say(`${name} is not below ${root}; left out`);
      continue;
    }
    const { dimensions } = embedder.model;
    await using store = openSqliteDocumentStore({ path: ':memory:', dimensions, clock: systemClock });
    const deps = { ...parts, store, embedder, cache, config: config.pipeline, generator: extractiveGenerator() };
    await fillStore(set, deps, signal);
    const seen = new Map<string, Seen>();
    const see = async (question: string): Promise<Seen> => {
      const known = seen.get(question);
      if (known) return known;
      const { answer, results } = await askPatiently(question, deps, signal);
      const [vector = new Float32Array()] = await embedder.embed([question], 'query', signal);
      const cited = answer.refused ? [] : answer.citations.map(({ passageId }) => passageId);
      const one: Seen = { vector, found: results.map(({ passageId }) => passageId), cited };
      seen.set(question, one);
      return one;
    };
    for (const { text } of set.queries) await see(text);
    const pairs = await pairsOf(set, root, (question) => seen.get(question)?.vector ?? new Float32Array());
    for (const pair of pairs) {
      const [first, second] = [await see(pair.first), await see(pair.second)];
      if (first.cited.length > 0)
        judged.push({ ...pair, seen: [first, second], cosine: dot(first.vector, second.vector) });
    }
    say(await costs(set.queries.map(({ text }) => text).slice(0, 200), deps, signal));
    say(`${name}: ${set.documents.length} documents, ${set.queries.length} questions, ${pairs.length} pairs`);
  }
  if (judged.length > 0) say(report(judged).join('\n'));
}

async function pairsOf(
  set: RetrievalSet,
  root: string,
  vectorOf: (question: string) => Float32Array,
): Promise<readonly Pair[]> {
  const random = seededRandom(SEED);
  const questions = [...new Set(set.queries.map(({ text }) => text))];
  const chosen = shuffled(questions, random).slice(0, REWORDED);
  const made = chosen.flatMap((question) => [...sameBut(question, random), ...otherBy(question, questions, random)]);
  const answers = await answersOf(set, root);
  const written = questions.flatMap((first) =>
    questions
      .filter((second) => second !== first)
      .map((second) => ({ second, cosine: dot(vectorOf(first), vectorOf(second)) }))
      .toSorted((a, b) => b.cosine - a.cosine)
      .slice(0, NEIGHBOURS)
      .map(({ second }): Pair => {
        const isSame =
          normaliseQuestion(first) === normaliseQuestion(second) ||
          (answers.has(first) && answers.get(first) === answers.get(second));
        return { first, second, kind: isSame ? 'person' : 'neighbour' };
      }),
  );
  return [...made, ...written];
}

/** By question, what its answer is, where the set tells: for XQuAD with its place, so that two questions with the same number are not the same. */
async function answersOf(set: RetrievalSet, root: string): Promise<ReadonlyMap<string, string>> {
  const texts = new Map(set.queries.map(({ id, text }) => [id, text]));
  const lines = await readFile(join(root, set.name, 'answers.jsonl'), 'utf8').catch(() => '');
  return new Map(
    lines
      .split('\n')
      .filter((line) => line !== '')
      .map(
        (line) =>
          JSON.parse(line) as {
            _id: string;
            answer?: unknown;
            answers?: unknown;
            answer_start?: unknown;
            doc?: unknown;
          },
      )
      .flatMap(({ _id, answer, answers, answer_start: start, doc }) => {
        const text = texts.get(_id);
        return text === undefined
          ? []
          : [[text, JSON.stringify([answer ?? answers, start ?? null, doc ?? null])] as const];
      }),
  );
}

function report(judged: readonly Judged[]): readonly string[] {
  const count = (kind: Pair['kind']) => judged.filter((pair) => pair.kind === kind).length;
  const kinds = ['template', 'person', 'neighbour', 'edit'] as const;
  const rows = GUARDS.flatMap((guard) =>
    Object.entries(EVIDENCE).flatMap(([evidence, holds]) => {
      const passing = judged.filter(
        ({ first, second, seen }) => guard.of(first) === guard.of(second) && holds(...(seen as [Seen, Seen])),
      );
      return THRESHOLDS.map((threshold) => {
        const hits = passing.filter(({ cosine }) => cosine >= threshold);
        return [
          guard.name,
          evidence,
          threshold.toFixed(2),
          ...kinds.map((kind) => {
            const number = hits.filter((pair) => pair.kind === kind).length;
            const share = ((100 * number) / Math.max(1, count(kind))).toFixed(1);
            return kind === 'template' || kind === 'person' ? `${share} %` : String(number);
          }),
        ];
      });
    }),
  );
  return [
    `Pairs whose first answer is kept: ${kinds.map((kind) => `${count(kind)} ${kind}`).join(', ')}`,
    ...[COLUMNS, COLUMNS.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`),
    'Wrong with all content words and equal sets, from 0.90 on:',
    ...judged
      .filter(({ kind, first, second, seen, cosine }) => {
        const [guard, evidence] = [GUARDS.at(-2), EVIDENCE['equal sets']];
        const passes = guard?.of(first) === guard?.of(second) && evidence?.(...(seen as [Seen, Seen]));
        return passes && cosine >= 0.9 && (kind === 'neighbour' || kind === 'edit');
      })
      .map(({ kind, first, second, cosine }) => `${kind} ${cosine.toFixed(3)}: ${first} / ${second}`),
  ];
}

function dot(one: Float32Array, other: Float32Array): number {
  return one.reduce((sum, value, index) => sum + value * (other[index] ?? 0), 0);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

await main(process.argv.slice(2));
