import type { Block } from './blocks.ts';
import type { Units } from './units.ts';

/** A section smaller than this share of a passage is packed together with its neighbour. */
const MIN_SECTION_SHARE = 0.3;

/**
 * Bounds of the sections that are packed on their own: ascending indices of units, from 0 to the number of units. A heading begins one
 * when both the part before it (back to the last heading of its level or above) and its own part are large enough. That depends on
 * nothing but these two parts, so an edit moves no bound elsewhere, and no border of passages beyond a bound.
 */
export function sections(blocks: readonly Block[], units: Units, maxTokens: number): number[] {
  const total = units.starts.length;
  if (total === 0) return [];
  const minWeight = Math.ceil(maxTokens * MIN_SECTION_SHARE);
  const headings: Heading[] = [];
  let weight = 0;
  for (let i = 0; i < total; i++) {
    const block = blocks[units.blocks[i] ?? 0];
    if (block?.kind === 'heading' && units.blocks[i - 1] !== units.blocks[i]) {
      headings.push({ unit: i, level: block.level, weight, before: weight, after: 0 });
    }
    weight += units.weights[i] ?? 0;
  }
  measureSiblings(headings, weight);
  const bounds = [0];
  for (const heading of headings) {
    if (heading.unit > 0 && heading.before >= minWeight && heading.after >= minWeight) bounds.push(heading.unit);
  }
  bounds.push(total);
  return bounds;
}

interface Heading {
  readonly unit: number;
  readonly level: number;
  /** Weight of all units before it. */
  readonly weight: number;
  /** Weight from the last heading of its level or above to this one. */
  before: number;
  /** Weight from this heading to the next of its level or above. */
  after: number;
}

/** Fills `before` and `after`: a stack holds the open headings, so each is pushed and popped once. */
function measureSiblings(headings: readonly Heading[], total: number): void {
  const open: Heading[] = [];
  for (const heading of headings) {
    let last: Heading | undefined;
    while (open.length > 0 && (open.at(-1)?.level ?? 0) >= heading.level) {
      last = open.pop();
      if (last) last.after = heading.weight - last.weight;
    }
    const previous = last?.level === heading.level ? last : open.at(-1);
    heading.before = heading.weight - (previous?.weight ?? 0);
    open.push(heading);
  }
  for (const heading of open) heading.after = total - heading.weight;
}
