import { join } from 'node:path';
import { readLines } from '../answers/read-lines.ts';

/** A part of a text: `text.slice(start, end)`, UTF-16 code units. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export interface ChunkingText {
  readonly id: string;
  readonly title: string;
  readonly text: string;
}

/** A question with the excerpts that answer it, all of one text; they do not overlap. */
export interface ChunkingQuestion {
  readonly id: string;
  readonly question: string;
  /** Id of the text. */
  readonly text: string;
  readonly excerpts: readonly Span[];
}

/** Long texts, and questions whose answers are known to the letter. */
export interface ChunkingSet {
  readonly texts: readonly ChunkingText[];
  readonly questions: readonly ChunkingQuestion[];
}

interface AnswerLine {
  readonly _id: string;
  readonly corpus_id: string;
  readonly references: readonly {
    readonly content: string;
    readonly start_index: number;
    readonly end_index: number;
  }[];
}

/**
 * Reads `corpus.jsonl`, `queries.jsonl` and `answers.jsonl` of a folder.
 * @returns undefined when a file is missing: not every machine has the set.
 * @throws SyntaxError when a line is not JSON; RangeError when an excerpt does not stand where the file says, because every figure would be wrong.
 */
export async function readChunkingSet(root: string, name: string): Promise<ChunkingSet | undefined> {
  const [texts, queries, answers] = await Promise.all([
    readLines<{ _id: string; title?: string; text: string }>(join(root, name, 'corpus.jsonl')),
    readLines<{ _id: string; text: string }>(join(root, name, 'queries.jsonl')),
    readLines<AnswerLine>(join(root, name, 'answers.jsonl')),
  ]);
  if (!texts || !queries || !answers) return undefined;
  const textOf = new Map(texts.map(({ _id, text }) => [_id, text]));
  const answerOf = new Map(answers.map((line) => [line._id, line]));
  return {
    texts: texts.map(({ _id: id, title = '', text }) => ({ id, title, text })),
    questions: queries.flatMap(({ _id: id, text: question }) => {
      const answer = answerOf.get(id);
      if (!answer) return [];
      const excerpts = answer.references.map(({ content, start_index: start, end_index: end }) => {
        if (textOf.get(answer.corpus_id)?.slice(start, end) !== content)
          throw new RangeError(`an excerpt of ${id} does not stand at ${start} of ${answer.corpus_id}`);
        return { start, end };
      });
      return [{ id, question, text: answer.corpus_id, excerpts: joined(excerpts) }];
    }),
  };
}

/** Spans that overlap or touch as one, ascending. */
export function joined(spans: readonly Span[]): readonly Span[] {
  const all: { start: number; end: number }[] = [];
  for (const { start, end } of spans.toSorted((a, b) => a.start - b.start)) {
    const last = all.at(-1);
    if (last && start <= last.end) last.end = Math.max(last.end, end);
    else all.push({ start, end });
  }
  return all;
}
