import type { Random } from '../../runtime/clock.ts';
import { quantile } from './bootstrap.ts';

/** A judge's figure beside a human's for one text. */
export interface Rated {
  /** Texts of one group are of the same task: they are compared with each other, and resampled together. */
  readonly group: string;
  readonly judge: number;
  readonly human: number;
}

/** A figure with its 95 % interval, by a bootstrap over groups; NaN where it is not defined. */
export interface GroupedFigure {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/** How a judge goes with humans. */
export interface Agreement {
  readonly texts: number;
  /** Spearman's rank correlation, -1 to 1; ties share the mean of their ranks. */
  readonly spearman: GroupedFigure;
  /** Kendall's tau-b, -1 to 1. */
  readonly kendall: GroupedFigure;
  /** Of the pairs of one task of which humans prefer one text: share that the judge orders alike; a tie counts half. 0.5 is a coin. */
  readonly pairwise: GroupedFigure;
}

const RESAMPLES = 500;

/** Compares a judge with humans. */
export function agreement(rated: readonly Rated[], random: Random): Agreement {
  const groups = [...groupsOf(rated).values()];
  const grouped = (figure: (of: readonly (readonly Rated[])[]) => number): GroupedFigure => {
    const drawn = Float64Array.from({ length: RESAMPLES }, () =>
      figure(groups.map(() => groups[Math.floor(random() * groups.length)] ?? [])),
    )
      .filter((each) => !Number.isNaN(each))
      .sort();
    return { value: figure(groups), low: quantile(drawn, 0.025), high: quantile(drawn, 0.975) };
  };
  return {
    texts: rated.length,
    spearman: grouped((of) => spearman(of.flat())),
    kendall: grouped((of) => kendall(of.flat())),
    pairwise: grouped(pairwise),
  };
}

/** NaN where the judge or the humans say the same of every text. */
export function spearman(rated: readonly Pick<Rated, 'judge' | 'human'>[]): number {
  const judge = ranksOf(rated.map((each) => each.judge));
  const human = ranksOf(rated.map((each) => each.human));
  const middle = (rated.length + 1) / 2;
  let [both, ofJudge, ofHuman] = [0, 0, 0];
  for (const [index, rank] of judge.entries()) {
    const other = (human[index] ?? 0) - middle;
    both += (rank - middle) * other;
    ofJudge += (rank - middle) ** 2;
    ofHuman += other ** 2;
  }
  return both / Math.sqrt(ofJudge * ofHuman);
}

/** Tau-b (Kendall 1945): pairs that only one of the two ties are in one of the roots below the line. NaN as `spearman` is. */
export function kendall(rated: readonly Pick<Rated, 'judge' | 'human'>[]): number {
  let [agree, ofJudge, ofHuman] = [0, 0, 0];
  for (const [index, one] of rated.entries())
    for (let other = 0; other < index; other++) {
      const judge = Math.sign(one.judge - (rated[other]?.judge ?? 0));
      const human = Math.sign(one.human - (rated[other]?.human ?? 0));
      agree += judge * human;
      ofJudge += Math.abs(judge);
      ofHuman += Math.abs(human);
    }
  return agree / Math.sqrt(ofJudge * ofHuman);
}

function pairwise(groups: readonly (readonly Rated[])[]): number {
  let [alike, pairs] = [0, 0];
  for (const group of groups)
    for (const [index, one] of group.entries())
      for (const other of group.slice(0, index)) {
        const human = Math.sign(one.human - other.human);
        if (human === 0) continue;
        pairs++;
        alike += (1 + human * Math.sign(one.judge - other.judge)) / 2;
      }
  return alike / pairs;
}

/** From 1; ties share the mean of their places. */
function ranksOf(values: readonly number[]): readonly number[] {
  const order = values.map((value, index) => ({ value, index })).sort((a, b) => a.value - b.value);
  const ranks = values.map(() => 0);
  for (let start = 0; start < order.length;) {
    let end = start;
    while (end < order.length && order[end]?.value === order[start]?.value) end++;
    for (const { index } of order.slice(start, end)) ranks[index] = (start + 1 + end) / 2;
    start = end;
  }
  return ranks;
}

function groupsOf(rated: readonly Rated[]): ReadonlyMap<string, readonly Rated[]> {
  const groups = new Map<string, Rated[]>();
  for (const each of rated) groups.set(each.group, [...(groups.get(each.group) ?? []), each]);
  return groups;
}
