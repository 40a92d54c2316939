import { seededRandom } from '../../runtime/seeded-random.ts';
import type { Citation } from '../../schemas/answer.ts';
import { meanInterval, type Interval } from '../metrics/bootstrap.ts';
import { GOLDEN_KINDS, GOLDEN_LANGUAGES, type GoldenKind, type GoldenQuestion } from './read-golden.ts';

/** What the product did with one question. */
export interface GoldenOutcome {
  readonly question: GoldenQuestion;
  /** Documents of the passages that the answer was made of. */
  readonly retrieved: readonly string[];
  readonly refused: boolean;
  readonly citations: readonly Pick<Citation, 'documentId' | 'quote'>[];
}

/** An outcome that was looked at. */
export interface JudgedOutcome extends GoldenOutcome {
  /** Whether enough of the documents were retrieved to answer from. */
  readonly found: boolean;
  /** Whether a citation has words of a gold quote. */
  readonly citesGold: boolean;
}

/** Figures of the questions of one class; shares from 0 to 1 with 95 % intervals, undefined where there is nothing to divide by. */
export interface GoldenScore {
  /** A kind of question, or `answerable` or `unanswerable` questions of one language. */
  readonly name: string;
  readonly questions: number;
  /** Share of the questions whose documents were retrieved: any of them for `single`, both for `two-documents`. */
  readonly found: Interval | undefined;
  readonly refused: Interval | undefined;
  /** Share of the answers, refusals left out, that cite words of a gold quote. */
  readonly cited: Interval | undefined;
}

/** The same intervals at every run. */
const SEED = 1;

/** Looks at every outcome. @param bodies text of each document by its id. */
export function judgeGolden(
  outcomes: readonly GoldenOutcome[],
  bodies: ReadonlyMap<string, string>,
): readonly JudgedOutcome[] {
  return outcomes.map((each) => ({ ...each, found: isFound(each), citesGold: citesGold(each, bodies) }));
}

/** Figures kind by kind, in the order of the kinds, then language by language. A class without a question is left out. */
export function scoreGolden(outcomes: readonly JudgedOutcome[]): readonly GoldenScore[] {
  const isOf = (kind: GoldenKind) => (each: JudgedOutcome) => each.question.kind === kind;
  const classes: readonly (readonly [string, readonly JudgedOutcome[]])[] = [
    ...GOLDEN_KINDS.map((kind) => [kind, outcomes.filter(isOf(kind))] as const),
    ...GOLDEN_LANGUAGES.flatMap((language) => {
      const own = outcomes.filter(({ question }) => question.language === language);
      return [
        [`${language}, answerable`, own.filter((each) => !isOf('unanswerable')(each))] as const,
        [`${language}, unanswerable`, own.filter(isOf('unanswerable'))] as const,
      ];
    }),
  ];
  return classes.filter(([, own]) => own.length > 0).map(([name, own]) => scoreOf(name, own));
}

function scoreOf(name: string, asked: readonly JudgedOutcome[]): GoldenScore {
  const isAnswerable = asked.every(({ question }) => question.kind !== 'unanswerable');
  const answered = asked.filter(({ refused }) => !refused);
  return {
    name,
    questions: asked.length,
    found: isAnswerable ? share(asked, ({ found }) => found) : undefined,
    refused: share(asked, ({ refused }) => refused),
    cited: isAnswerable ? share(answered, (each) => each.citesGold) : undefined,
  };
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

function share<T>(of: readonly T[], holds: (each: T) => boolean): Interval | undefined {
  if (of.length === 0) return undefined;
  return meanInterval(
    of.map((each) => (holds(each) ? 1 : 0)),
    seededRandom(SEED),
  );
}
