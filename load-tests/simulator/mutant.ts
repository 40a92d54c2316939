/** A change of one source text. */
export interface Edit {
  /** Path of the source from the project's root; the edit is made in what it was compiled to. */
  readonly file: string;
  /** Text that stands in the compiled file exactly once. Any run of white space stands for any other. */
  readonly find: string;
  readonly replace: string;
}

/** A planted bug. */
export interface Mutant {
  readonly name: string;
  /** The invariant of docs/SPEC.md that it breaks. */
  readonly breaks: string;
  readonly edits: readonly Edit[];
}

/** The text with the edit made. @throws RangeError unless the text to replace stands there exactly once. */
export function patched(text: string, { file, find, replace }: Edit): string {
  const words = find.split(/\s+/).map((word) => word.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
  const places = [...text.matchAll(new RegExp(words.join('\\s+'), 'g'))];
  const [place] = places;
  if (!place || places.length > 1) throw new RangeError(`${file} holds ${places.length} times: ${find}`);
  return text.slice(0, place.index) + replace + text.slice(place.index + place[0].length);
}

/** A mutant of one edit. */
export const one = (name: string, breaks: string, file: string, find: string, replace: string): Mutant => ({
  name,
  breaks,
  edits: [{ file, find, replace }],
});
