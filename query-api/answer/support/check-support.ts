import { claimTokens, type ClaimToken } from './claim-tokens.ts';
import { OPPOSITES } from './opposites.ts';

/** Words of a claim that its evidence does not bear out: `claim.slice(start, end)`. */
export interface UnsupportedSpan {
  readonly start: number;
  readonly end: number;
  /** A number or a name that the evidence has not, its opposite there, a "not" that is not there, or a plain word. */
  readonly reason: 'number' | 'name' | 'opposite' | 'negation' | 'word';
}

export interface SupportVerdict {
  readonly supported: boolean;
  /** 0 to 1: share of the claim's content words that the evidence has, divided by one more than its contradictions. */
  readonly score: number;
  /** In reading order. Plain words are listed even when the claim is supported: evidence may say the same in others. */
  readonly unsupported: readonly UnsupportedSpan[];
}

/** Fewer content words than this share, and the claim is about something else. Chosen on every second claim of wice. */
const MIN_COVERAGE = 0.5;
/** Tokens around a word that it is said of, in the claim and in the evidence. */
const CLAIM_REACH = 4;
const EVIDENCE_REACH = 6;

/** Where each key stands in the evidence, ascending. */
type Places = ReadonlyMap<string, readonly number[]>;

/**
 * Whether evidence bears a claim out, by rules and without a model: every number and name of the claim stands in the evidence, no word
 * of it has its opposite there about the same words, no negation is new, and enough of its words are there. English; of other languages
 * only numbers and coverage count. Takes time in proportion to both texts. docs/adr/0022-answer-evaluation.md has the figures: it
 * finds what was altered in a text, and not what paraphrase hides.
 */
export function checkSupport(claim: string, evidence: string): SupportVerdict {
  const tokens = claimTokens(claim);
  const source = claimTokens(evidence);
  const places = placesOf(source);
  const negations = source.flatMap(({ kind }, at) => (kind === 'negation' ? [at] : []));
  const unsupported: UnsupportedSpan[] = [];
  let content = 0;
  let held = 0;
  for (const [at, token] of tokens.entries()) {
    const reason = reasonOf(token, tokens, at, places, negations);
    if (reason !== undefined) unsupported.push({ start: token.start, end: token.end, reason });
    if (token.kind === 'grammar' || token.kind === 'negation') continue;
    content++;
    if (isHeld(token, places)) held++;
  }
  const coverage = content === 0 ? 0 : held / content;
  const contradictions = unsupported.filter(({ reason }) => reason !== 'word').length;
  return {
    supported: contradictions === 0 && coverage >= MIN_COVERAGE,
    score: coverage / (1 + contradictions),
    unsupported,
  };
}

function reasonOf(
  token: ClaimToken,
  tokens: readonly ClaimToken[],
  at: number,
  places: Places,
  negations: readonly number[],
): UnsupportedSpan['reason'] | undefined {
  if (isDenied(token, tokens, at, places)) return 'opposite';
  switch (token.kind) {
    case 'number':
    case 'name':
    case 'word':
      return isHeld(token, places) ? undefined : token.kind;
    case 'negation': {
      const isSaid = saidOf(tokens, at, places).some((key) => areNear(negations, places.get(key) ?? []));
      return isSaid ? undefined : 'negation';
    }
    case 'grammar':
      return undefined;
  }
}

function isHeld({ key, digits }: ClaimToken, places: Places): boolean {
  return places.has(key) || (digits !== undefined && places.has(digits));
}

/** The evidence says the opposite, and says it of more of the words around than it says the word itself. */
function isDenied(token: ClaimToken, tokens: readonly ClaimToken[], at: number, places: Places): boolean {
  const opposites = [...(OPPOSITES.get(token.key) ?? [])].filter((key) => places.has(key));
  if (opposites.length === 0) return false;
  if (!places.has(token.key)) return true;
  const around = saidOf(tokens, at, places);
  const shared = (key: string) =>
    around.filter((each) => areNear(places.get(key) ?? [], places.get(each) ?? [])).length;
  return Math.max(...opposites.map(shared)) > shared(token.key);
}

/** Content words around a word of the claim that the evidence has too. */
function saidOf(tokens: readonly ClaimToken[], at: number, places: Places): readonly string[] {
  return tokens
    .slice(Math.max(0, at - CLAIM_REACH), at + CLAIM_REACH + 1)
    .filter((each) => each !== tokens[at] && each.kind !== 'grammar' && each.kind !== 'negation')
    .map(({ key }) => key)
    .filter((key) => places.has(key));
}

/** Whether a place of one list is within reach of one of the other; both ascending. */
function areNear(one: readonly number[], other: readonly number[]): boolean {
  for (let i = 0, j = 0; i < one.length && j < other.length;) {
    const distance = (one[i] ?? 0) - (other[j] ?? 0);
    if (Math.abs(distance) <= EVIDENCE_REACH) return true;
    if (distance < 0) i++;
    else j++;
  }
  return false;
}

function placesOf(tokens: readonly ClaimToken[]): Places {
  const places = new Map<string, number[]>();
  for (const [at, { key, digits }] of tokens.entries())
    for (const each of digits === undefined ? [key] : [key, digits]) {
      const known = places.get(each);
      if (known) known.push(at);
      else places.set(each, [at]);
    }
  return places;
}
