import { splitSentences } from '../../ports/generator/split-sentences.ts';
import type { Embedder } from '../../ports/embedder/embedder.ts';
import { checkSupport } from '../../query-api/answer/support/check-support.ts';
import { claimTokens } from '../../query-api/answer/support/claim-tokens.ts';
import { mean } from '../metrics/bootstrap.ts';

/** An answer with all that a judge may look at. */
export interface JudgedAnswer {
  readonly question: string;
  readonly answer: string;
  /** Texts that the answer may rest on. */
  readonly contexts: readonly string[];
  /** An answer by a human; absent where there is none, or it is the answer itself. */
  readonly reference?: string;
}

/** Gives an answer a figure, more is better; undefined where it has nothing to say. */
export interface Judge {
  readonly name: string;
  /** What RAGAS (Es et al. 2024) calls it. */
  readonly judges: 'faithfulness' | 'answer relevance' | 'completeness';
  score(answer: JudgedAnswer): Promise<number | undefined>;
}

/**
 * Judges without a language model. Which of them go with humans, and which do not and are therefore no metric of any suite, is in
 * docs/adr/0026-judges.md.
 */
export function ruleJudges(embedder: Embedder, signal: AbortSignal): readonly Judge[] {
  const embed = rememberingEmbed(embedder, signal);
  return [
    {
      name: 'statements borne out',
      judges: 'faithfulness',
      score: async ({ answer, contexts }) => shareBorneOut(sentences(answer), contexts),
    },
    { name: 'words of the contexts', judges: 'faithfulness', score: async (each) => knowledgePrecision(each) },
    {
      name: 'nearest sentence',
      judges: 'faithfulness',
      score: ({ answer, contexts }) => nearest(sentences(answer), contexts.flatMap(sentences), embed),
    },
    {
      name: 'likeness to the question',
      judges: 'answer relevance',
      score: ({ question, answer }) => nearest([question], [answer], embed),
    },
    {
      name: 'words of the question',
      judges: 'answer relevance',
      score: async ({ question, answer }) => share(contentOf(question), new Set(contentOf(answer))),
    },
    {
      name: 'statements of the reference',
      judges: 'completeness',
      score: async ({ reference, answer }) =>
        reference === undefined ? undefined : shareBorneOut(sentences(reference), [answer]),
    },
    {
      name: 'words of the reference',
      judges: 'completeness',
      score: async ({ reference, answer }) =>
        reference === undefined ? undefined : share(contentOf(reference), new Set(contentOf(answer))),
    },
    {
      name: 'likeness to the reference',
      judges: 'completeness',
      score: async ({ reference, answer }) =>
        reference === undefined ? undefined : nearest([reference], [answer], embed),
    },
  ];
}

/** Share of the answer's content words that the contexts have: K-Precision (Adlakha et al. 2024), over stems. */
export function knowledgePrecision({
  answer,
  contexts,
}: Pick<JudgedAnswer, 'answer' | 'contexts'>): number | undefined {
  return contexts.length === 0 ? undefined : share(contentOf(answer), new Set(contexts.flatMap(contentOf)));
}

function shareBorneOut(statements: readonly string[], contexts: readonly string[]): number | undefined {
  if (statements.length === 0 || contexts.length === 0) return undefined;
  const evidence = contexts.join('\n');
  return mean(statements.map((each) => (checkSupport(each, evidence).supported ? 1 : 0)));
}

/** Mean over the texts of the cosine to the most similar of the others. */
async function nearest(texts: readonly string[], others: readonly string[], embed: Embed): Promise<number | undefined> {
  if (texts.length === 0 || others.length === 0) return undefined;
  const [own, foreign] = [await embed(texts), await embed(others)];
  return mean(own.map((each) => Math.max(...foreign.map((other) => dot(each, other)))));
}

type Embed = (texts: readonly string[]) => Promise<readonly Float32Array[]>;

/** Every text is embedded once: answers of one task have the same contexts. */
function rememberingEmbed(embedder: Embedder, signal: AbortSignal): Embed {
  const vectors = new Map<string, Float32Array>();
  return async (texts) => {
    const fresh = [...new Set(texts)].filter((text) => !vectors.has(text));
    const made = fresh.length === 0 ? [] : await embedder.embed(fresh, 'passage', signal);
    for (const [index, text] of fresh.entries()) vectors.set(text, made[index] ?? new Float32Array());
    return texts.map((text) => vectors.get(text) ?? new Float32Array());
  };
}

function dot(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, index) => sum + value * (b[index] ?? 0), 0);
}

function share(words: readonly string[], among: ReadonlySet<string>): number | undefined {
  return words.length === 0 ? undefined : words.filter((word) => among.has(word)).length / words.length;
}

/** Stems of words and names, and numbers. */
function contentOf(text: string): readonly string[] {
  return claimTokens(text).flatMap(({ kind, key }) => (kind === 'grammar' || kind === 'negation' ? [] : [key]));
}

/** A text without a sentence, such as a keyword, is one. */
function sentences(text: string): readonly string[] {
  const spans = splitSentences(text).map(({ start, end }) => text.slice(start, end));
  return spans.length > 0 || text.trim() === '' ? spans : [text.trim()];
}
