import { NO_ANSWER } from './prompts/grounded-answer-1.ts';

const THINK = '<think>';
const THOUGHT = '</think>';

/** What the opening of a model's text turned out to be. `undecided`: more text is needed. */
export type Opening =
  { readonly kind: 'undecided' } | { readonly kind: 'no-answer' } | { readonly kind: 'answer'; readonly text: string };

/**
 * Reads the first words of a model: leaves out the thoughts that some write before an answer, and recognises that there is no answer.
 * @param text everything so far. @param ended whether no more will come. Pure.
 */
export function readOpening(text: string, ended: boolean): Opening {
  let rest = text.trimStart();
  if (rest.startsWith(THINK)) {
    const end = rest.indexOf(THOUGHT);
    if (end === -1) return { kind: ended ? 'no-answer' : 'undecided' };
    rest = rest.slice(end + THOUGHT.length).trimStart();
  }
  if (rest.startsWith(NO_ANSWER)) return { kind: 'no-answer' };
  const isBeginning = THINK.startsWith(rest) || NO_ANSWER.startsWith(rest);
  return isBeginning && !ended ? { kind: 'undecided' } : { kind: 'answer', text: rest };
}
