import { createHmac } from 'node:crypto';
import { PiiFilterFailed } from '../../runtime/errors.ts';
import { ENTITIES, labelOf, type Entity } from './entities.ts';
import { PSEUDONYM_DIGITS } from './label.ts';
import type { PiiPolicy } from './policy.ts';
import { EVIDENCE, type Evidence } from './recogniser.ts';
import { viewOf, type View } from './view.ts';

/** A value to redact: offsets into the original text, UTF-16 code units, end exclusive. */
export interface Finding {
  readonly start: number;
  readonly end: number;
  readonly entity: Entity;
  /** The value without separators and disguises, letters in upper case: what makes two writings the same. */
  readonly value: string;
}

/** A field of a document. */
export interface Field {
  /** Name of the column; it may say what the field holds. */
  readonly name: string;
  readonly text: string;
  /** A value of its own, not prose: metadata. */
  readonly isMetadata?: boolean;
}

interface Match {
  start: number;
  end: number;
  entity: Entity;
  rank: number;
}

/** Redacting may bring a context word into the window of another number; more rounds than this mean a text that is made to. */
const MAX_ROUNDS = 8;
/** A match needs at least three characters; far more matches than that are a fault of a recogniser. */
const MAX_MATCHES_PER_BYTE = 8;

/** Finds what a policy would redact in one round, in order, without overlaps. */
export function findPii(field: Field, policy: PiiPolicy): readonly Finding[] {
  const view = viewOf(field.text);
  const matches: Match[] = [];
  let budget = view.length * MAX_MATCHES_PER_BYTE + 64;
  const judge = contextJudge(view, field, policy);
  policy.scanner.run({
    bytes: view.bytes,
    length: view.length,
    add(start, end, entity, evidence) {
      if (--budget < 0) throw new PiiFilterFailed('the PII filter found more matches than a text can hold');
      const rank = judge(start, end, entity, evidence);
      if (rank > 0) matches.push({ start, end, entity, rank });
    },
  });
  return merge(matches).map((match) => ({
    start: originalOffset(view, match.start),
    end: originalEnd(view, match.end),
    entity: match.entity,
    value: canonical(view.bytes.toString('latin1', match.start, match.end)),
  }));
}

/** Addresses differ by their full stops, numbers do not. */
const canonical = (value: string): string =>
  (value.includes('@') ? value : value.replace(/[\s\-./:()_]/g, '')).toUpperCase();

const originalOffset = (view: View, at: number): number => view.offsets?.[at] ?? at;

/** The end of the last character: what was removed behind it stays. */
function originalEnd(view: View, end: number): number {
  if (!view.offsets) return end;
  return view.offsets[end] ?? view.original.length;
}

type Judge = (start: number, end: number, entity: Entity, evidence: Evidence) => number;

/** A word beside a number counts for so much that a checksum with one outranks a form that needs none. */
const CONTEXT_RANK = 4;
const UNMISTAKABLE_RANK = EVIDENCE.form + CONTEXT_RANK + 0.5;

/** Rank of a match, 0 when its evidence is not enough. */
function contextJudge(view: View, field: Field, policy: PiiPolicy): Judge {
  let known: { start: number; end: number; entities: ReadonlySet<Entity> } | undefined;
  const lead = field.text.length - field.text.trimStart().length;
  const tail = field.text.trimEnd().length;
  return (start, end, entity, evidence) => {
    const grade = EVIDENCE[evidence];
    if (grade === EVIDENCE.unmistakable) return UNMISTAKABLE_RANK;
    if (known?.start !== start || known.end !== end)
      known = { start, end, entities: policy.context.around(view, start, end, field.name) };
    if (known.entities.has(entity)) return grade + CONTEXT_RANK;
    if (grade === EVIDENCE.hint) return 0;
    if (policy.isExplicit) return grade;
    const isAlone = field.isMetadata !== true && originalOffset(view, start) <= lead && originalEnd(view, end) >= tail;
    return grade === EVIDENCE.checksum && isAlone ? grade : 0;
  };
}

const ORDER: ReadonlyMap<Entity, number> = new Map(ENTITIES.map((entity, index) => [entity, index]));

function isBetter(a: Match, b: Match): boolean {
  if (a.rank !== b.rank) return a.rank > b.rank;
  if (a.end - a.start !== b.end - b.start) return a.end - a.start > b.end - b.start;
  return (ORDER.get(a.entity) ?? 0) < (ORDER.get(b.entity) ?? 0);
}

/** Joins overlapping matches under the best one's name: what any of them would have hidden stays hidden. */
function merge(matches: Match[]): readonly Match[] {
  matches.sort((a, b) => a.start - b.start || b.end - a.end);
  const merged: Match[] = [];
  let best: Match | undefined;
  for (const match of matches) {
    const last = merged.at(-1);
    if (!last || !best || match.start >= last.end) {
      merged.push({ ...match });
      best = match;
      continue;
    }
    last.end = Math.max(last.end, match.end);
    if (isBetter(match, best)) {
      best = match;
      last.entity = match.entity;
    }
  }
  return merged;
}

/**
 * The text with every value replaced by its label. Filtering the result again changes nothing.
 * @param counts is added to.
 * @throws PiiFilterFailed when the text does not come to rest, or a recogniser exceeds its budget.
 */
export function redact(field: Field, policy: PiiPolicy, tenant: string, counts: Map<Entity, number>): string {
  let text = field.text;
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const findings = findPii({ ...field, text }, policy);
    if (findings.length === 0) return text;
    let out = '';
    let at = 0;
    for (const { start, end, entity, value } of findings) {
      out += text.slice(at, start) + replacement(entity, value, policy, tenant);
      at = end;
      counts.set(entity, (counts.get(entity) ?? 0) + 1);
    }
    text = out + text.slice(at);
  }
  throw new PiiFilterFailed(`a text still had values to redact after ${MAX_ROUNDS} rounds`);
}

function replacement(entity: Entity, value: string, policy: PiiPolicy, tenant: string): string {
  const label = labelOf(entity);
  if (policy.mode !== 'pseudonym') return `[${label}]`;
  // Parts are separated by a character that none of them holds, so that no two triples read the same.
  const digest = createHmac('sha256', policy.secret).update(`${tenant}\u0000${entity}\u0000${value}`).digest('hex');
  return `[${label}:${digest.slice(0, PSEUDONYM_DIGITS)}]`;
}
