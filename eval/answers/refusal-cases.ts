import { join } from 'node:path';
import { readSet, type SetDocument } from '../retrieval/read-set.ts';
import { readLines } from './read-lines.ts';

/** A question with the texts that an answer may rest on, best first. */
export interface RefusalCase {
  readonly question: string;
  readonly passages: readonly Omit<SetDocument, 'id'>[];
  /** Whether they hold the answer, as the set has it. */
  readonly answerable: boolean;
}

/** As many as the product retrieves by default. */
const PASSAGES = 8;

interface RgbAnswer {
  readonly _id: string;
  readonly positive: readonly string[];
  readonly negative: readonly string[];
}

/**
 * Cases of a folder of RGB (Chen et al. 2023, "negative rejection"): each question once with the texts that hold its answer and once
 * with those that do not.
 * @returns undefined when the folder is not below `root`.
 */
export async function rgbCases(root: string, name: string): Promise<readonly RefusalCase[] | undefined> {
  const set = await readSet(root, name);
  const answers = await readLines<RgbAnswer>(join(root, name, 'answers.jsonl'));
  if (!set || !answers) return undefined;
  const texts = new Map(set.documents.map((document) => [document.id, document]));
  const questions = new Map(set.queries.map(({ id, text }) => [id, text]));
  return answers.flatMap(({ _id, positive, negative }) => {
    const question = questions.get(_id);
    if (question === undefined) return [];
    return [true, false].flatMap((answerable) => {
      const passages = (answerable ? positive : negative).flatMap((id) => texts.get(id) ?? []).slice(0, PASSAGES);
      return passages.length === 0 ? [] : [{ question, passages, answerable }];
    });
  });
}

/**
 * Cases of a folder of XQuAD: each question once with the paragraph it was asked of, and once with the other paragraphs of the same
 * article, which are about the same and do not answer it (but by chance).
 * @returns undefined when the folder is not below `root`.
 */
export async function xquadCases(root: string, name: string): Promise<readonly RefusalCase[] | undefined> {
  const set = await readSet(root, name);
  return set?.queries.flatMap(({ text: question, judgements }) => {
    const own = set.documents.find(({ id }) => judgements.has(id));
    if (!own) return [];
    const others = set.documents.filter(({ id }) => id !== own.id && articleOf(id) === articleOf(own.id));
    return [
      { question, passages: [own], answerable: true },
      { question, passages: others.slice(0, PASSAGES), answerable: false },
    ];
  });
}

/** Paragraphs are numbered `a<article>p<paragraph>`. */
function articleOf(id: string): string {
  return id.split('p')[0] ?? id;
}
