import type { Random } from '../../runtime/clock.ts';

/** Two questions, and whether one answer serves both. */
export interface Pair {
  readonly first: string;
  readonly second: string;
  /**
   * Same answer: `template` (a phrase around it, or another question word), `person` (two questions that people wrote whose answer is the same words
   * at the same place). Other answer: `neighbour` (two questions that people wrote about one passage, or the nearest of the set), `edit` (a word is changed
   * that changes what is asked).
   */
  readonly kind: 'template' | 'person' | 'neighbour' | 'edit';
}

const decapitalised = (question: string): string =>
  /^(?:Who|What|When|Where|Why|Which|How|Is|Are|Was|Were|Do|Does|Did|Can|In|On|At|The)\b/.test(question)
    ? question[0]?.toLowerCase() + question.slice(1)
    : question;

const FRAMES: readonly ((question: string) => string)[] = [
  (question) => `Can you tell me ${decapitalised(question)}`,
  (question) => `Please tell me: ${question}`,
  (question) => question.replace(/\?$/, ''),
  (question) => `I would like to know ${decapitalised(question).replace(/\?$/, '.')}`,
  (question) => `${question} Thanks!`,
  (question) => `Quick question: ${decapitalised(question)}`,
];

const SYNONYMS: readonly (readonly [RegExp, string])[] = [
  [/^How many\b/, 'What number of'],
  [/^Who\b/, 'Which person'],
  [/^Where\b/, 'In what place'],
  [/^When\b/, 'At what time'],
  [/^Why\b/, 'For what reason'],
  [/^What is\b/, "What's"],
  [/\bbiggest\b/, 'largest'],
  [/\bstart\b/, 'begin'],
  [/\bcalled\b/, 'named'],
];

const TURNED: readonly (readonly [string, string])[] = [
  ['first', 'last'],
  ['most', 'least'],
  ['more', 'less'],
  ['before', 'after'],
  ['largest', 'smallest'],
  ['highest', 'lowest'],
  ['oldest', 'youngest'],
  ['best', 'worst'],
  ['won', 'lost'],
  ["men's", "women's"],
  ['north', 'south'],
  ['start', 'end'],
  ['increase', 'decrease'],
  ['maximum', 'minimum'],
];

/** Rewordings that ask the same. Which frames, the random decides. */
export function sameBut(question: string, random: Random): readonly Pair[] {
  const frames = shuffled(FRAMES, random).slice(0, 2);
  const synonym = SYNONYMS.find(([from]) => from.test(question));
  const worded = synonym ? [question.replace(...(synonym as [RegExp, string]))] : [];
  return [...frames.map((frame) => frame(question)), ...worded]
    .filter((second) => second !== question)
    .map((second) => ({ first: question, second, kind: 'template' }));
}

/** Edits that ask for something else. @param others questions of the same set, from which names are taken. */
export function otherBy(question: string, others: readonly string[], random: Random): readonly Pair[] {
  const edited: string[] = [];
  const number = /\d+/.exec(question)?.[0];
  if (number !== undefined) edited.push(question.replace(number, String(Number(number) + 1)));
  for (const [one, other] of TURNED)
    for (const [from, to] of [
      [one, other],
      [other, one],
    ] as const)
      if (new RegExp(`\\b${from}\\b`).test(question)) edited.push(question.replace(new RegExp(`\\b${from}\\b`), to));
  const negated = question.replace(/\b(is|are|was|were|does|do|did|can|has|have)\b(\s+\S+)/, '$1$2 not');
  if (negated !== question) edited.push(negated);
  const name = nameIn(question);
  const stranger = nameIn(others[Math.floor(random() * others.length)] ?? '');
  if (name !== undefined && stranger !== undefined && name !== stranger) edited.push(question.replace(name, stranger));
  return edited.map((second) => ({ first: question, second, kind: 'edit' }));
}

/** In an order that the random decides. */
export function shuffled<T>(all: readonly T[], random: Random): readonly T[] {
  return all
    .map((each) => ({ each, place: random() }))
    .toSorted((a, b) => a.place - b.place)
    .map(({ each }) => each);
}

function nameIn(question: string): string | undefined {
  return /(?<=\S\s)\p{Lu}\p{L}{2,}(?:\s\p{Lu}\p{L}+)*/u.exec(question)?.[0];
}
