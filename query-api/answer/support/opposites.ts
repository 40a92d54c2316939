import { stem } from '../../../ports/generator/question-terms.ts';

/** Pairs of words of which a text that says one denies the other; one pair a comma. Everyday and business English. */
const PAIRS = `
  increase decrease, increase reduce, increase decline, increase drop, increase lower, increase fall, raise lower, raise cut,
  rise fall, rise drop, rise decline, grow shrink, grow decline, expand contract, expand shrink, accelerate slow, appreciate depreciate,
  improve worsen, improve deteriorate, strengthen weaken, strong weak, boost reduce, boost hinder, enhance reduce, enhance diminish,
  high low, higher lower, more less, more fewer, most least, above below, over under, ahead behind, upper lower, exceed miss,
  minimum maximum, minimize maximize, majority minority, large small, big small, major minor, long short, full empty,
  before after, early late, earlier later, first last, start end, begin end, begin finish, open close, continue stop, old young, old new,
  include exclude, add remove, enter leave, arrive leave, arrive depart, join leave, attend miss, present absent, up down, inside outside,
  internal external, left right, north south, east west, lead follow, ascend descend, upgrade downgrade, outperform underperform,
  positive negative, success failure, succeed fail, win lose, win defeat, gain lose, gain loss, profit loss, benefit harm,
  advantage disadvantage, opportunity threat, challenge opportunity, best worst, good bad, better worse, easy difficult, easy hard,
  easy challenging, simple complex, fast slow, safe dangerous, expensive cheap, costly affordable, efficient inefficient,
  effective ineffective, stable unstable, favorable unfavorable, certain uncertain, complete incomplete, common rare, likely unlikely,
  possible impossible, able unable, legal illegal, direct indirect, temporary permanent, optional required, optional mandatory,
  voluntary mandatory, free paid, public private, accept reject, approve reject, allow forbid, allow prohibit, allow deny, enable prevent,
  support oppose, agree disagree, confirm deny, admit deny, help hinder, encourage discourage, praise criticize, trust distrust,
  attack defend, unite divide, build destroy, create destroy, arrest release, convict acquit, guilty innocent, hire fire, buy sell,
  borrow lend, import export, save waste, save spend, remember forget, love hate, optimistic pessimistic, pleased disappointed,
  excited disappointed, streamline complicate, alive dead, male female, men women, son daughter, father mother, brother sister,
  husband wife, hot cold, light dark, rich poor, happy sad, push pull`;

/** Stems that deny a stem, both ways round. */
export const OPPOSITES: ReadonlyMap<string, ReadonlySet<string>> = read(PAIRS);

function read(pairs: string): ReadonlyMap<string, ReadonlySet<string>> {
  const opposites = new Map<string, Set<string>>();
  for (const pair of pairs.split(',')) {
    const [one = '', other = ''] = pair.trim().split(/\s+/).map(stem);
    opposites.set(one, (opposites.get(one) ?? new Set()).add(other));
    opposites.set(other, (opposites.get(other) ?? new Set()).add(one));
  }
  return opposites;
}
