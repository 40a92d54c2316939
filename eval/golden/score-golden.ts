import type { Citation } from '../../schemas/answer.ts';
import { GOLDEN_KINDS, type GoldenKind, type GoldenQuestion } from './read-golden.ts';

/** What the product did with one question. */
export interface GoldenOutcome {
  readonly question: GoldenQuestion;
  /** Documents of the passages that the answer was made of. */
  readonly retrieved: readonly string[];
  readonly refused: boolean;
  readonly citations: readonly Pick<Citation, 'documentId' | 'quote'>[];
}

/** Figures of all questions of one kind; shares from 0 to 1, undefined where there is nothing to divide by. */
export interface GoldenScore {
  readonly kind: GoldenKind;
  readonly questions: number;
  /** Share of the questions whose documents were retrieved: any of them for `single`, both for `two-documents`. */
  readonly found: number | undefined;
  readonly refused: number | undefined;
  /** Share of the answers, refusals left out, that cite words of a gold quote. */
  readonly cited: number | undefined;
}

/** Figures kind by kind. @param bodies text of each document by its id. */
export function scoreGolden(
  outcomes: readonly GoldenOutcome[],
  bodies: ReadonlyMap<string, string>,
): readonly GoldenScore[] {
  return GOLDEN_KINDS.map((kind) => {
    const asked = outcomes.filter(({ question }) => question.kind === kind);
    const isAnswerable = kind !== 'unanswerable';
    return {
      kind,
      questions: asked.length,
      found: isAnswerable ? share(asked, isFound) : undefined,
      refused: share(asked, ({ refused }) => refused),
      cited: isAnswerable
        ? share(
            asked.filter(({ refused }) => !refused),
            (each) => citesGold(each, bodies),
          )
        : undefined,
    };
  });
}

/** Whether enough of the documents were retrieved to answer from. */
export function isFound({ question: { kind, documents }, retrieved }: GoldenOutcome): boolean {
  const isRetrieved = (id: string) => retrieved.includes(id);
  return kind === 'two-documents' ? documents.every(isRetrieved) : documents.some(isRetrieved);
}

/** Whether a citation and a gold quote share words of the same place of a document. Markup and white space do not count. */
export function citesGold({ question, citations }: GoldenOutcome, bodies: ReadonlyMap<string, string>): boolean {
  return citations.some(({ documentId, quote }) => {
    if (!question.documents.includes(documentId)) return false;
    const body = bare(bodies.get(documentId) ?? '');
    const gold = question.quotes.flatMap((each) => spansOf(bare(each), body));
    return spansOf(bare(quote), body).some((one) => gold.some((other) => one[0] < other[1] && other[0] < one[1]));
  });
}

type Span = readonly [start: number, end: number];

/** Everywhere that a text stands in another one. */
function spansOf(text: string, body: string): Span[] {
  const spans: Span[] = [];
  if (text === '') return spans;
  for (let at = body.indexOf(text); at >= 0; at = body.indexOf(text, at + 1)) spans.push([at, at + text.length]);
  return spans;
}

/** Letters and digits alone. */
function bare(text: string): string {
  return text.toLowerCase().replaceAll(/[^\p{L}\p{N}]+/gu, '');
}

function share<T>(of: readonly T[], holds: (each: T) => boolean): number | undefined {
  return of.length === 0 ? undefined : of.filter(holds).length / of.length;
}
