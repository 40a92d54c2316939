import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

/**
 * What an answer must rest on:
 * - `single`: one document is enough; where several are named, each of them holds the answer.
 * - `two-documents`: two documents, of which neither is enough.
 * - `unanswerable`: nothing in the corpus says it, though the corpus speaks of the subject. The right answer is a refusal.
 */
export const GOLDEN_KINDS = ['single', 'two-documents', 'unanswerable'] as const;
export type GoldenKind = (typeof GOLDEN_KINDS)[number];

/** Languages of the questions, by ISO 639-1. The documents are in English. */
export const GOLDEN_LANGUAGES = ['en', 'de', 'zh'] as const;
export type GoldenLanguage = (typeof GOLDEN_LANGUAGES)[number];

/** A question of which it is known where the demo's documents answer it. */
export interface GoldenQuestion {
  readonly id: string;
  /** As a user types it: short, sloppy and misspelt ones are among them. */
  readonly question: string;
  readonly kind: GoldenKind;
  /** Ids as the product names them; none where nothing answers. */
  readonly documents: readonly string[];
  /** Where the answer stands: letter for letter in the body of at least one of the documents, line breaks and markup included. */
  readonly quotes: readonly string[];
  /** The answer in our own words, in the language of the question; empty where there is none. */
  readonly answer: string;
  readonly language: GoldenLanguage;
}

/** The questions about the documents that `npm start` indexes. */
export const DEMO_GOLDEN = fileURLToPath(new URL('demo.jsonl', import.meta.url));

/**
 * Reads a file of questions, one JSON object a line, in the order of the file.
 * @throws SyntaxError naming the line when it is not JSON or lacks a field.
 */
export async function readGolden(path: string = DEMO_GOLDEN): Promise<readonly GoldenQuestion[]> {
  const lines = (await readFile(path, 'utf8')).split('\n');
  return lines.flatMap((line, index) => (line.trim() === '' ? [] : [readLine(line, `${path}:${index + 1}`)]));
}

function readLine(line: string, place: string): GoldenQuestion {
  const value = parse(line, place);
  if (!isGolden(value)) throw new SyntaxError(`${place} is not a golden question: a field is missing or wrong`);
  return value;
}

function parse(line: string, place: string): unknown {
  try {
    return JSON.parse(line);
  } catch (cause) {
    throw new SyntaxError(`${place} is not JSON`, { cause });
  }
}

function isGolden(value: unknown): value is GoldenQuestion {
  if (typeof value !== 'object' || value === null) return false;
  const { id, question, kind, documents, quotes, answer, language } = value as Record<keyof GoldenQuestion, unknown>;
  return (
    [id, question, answer].every((text) => typeof text === 'string') &&
    isOneOf(GOLDEN_KINDS, kind) &&
    isOneOf(GOLDEN_LANGUAGES, language) &&
    isTexts(documents) &&
    isTexts(quotes)
  );
}

function isOneOf(allowed: readonly string[], value: unknown): boolean {
  return typeof value === 'string' && allowed.includes(value);
}

function isTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((text) => typeof text === 'string');
}
