import { createHash } from 'node:crypto';
import type { MetadataValue } from '../../../schemas/document.ts';
import type { SearchScope } from '../document-store.ts';
import { comparable, filterValue, filterValues } from '../filter-value.ts';
import type { Clause } from './clause.ts';

/*
 * All metadata is one keyword field, `fields`: every value becomes up to three tokens, `<name> NUL <form><value>`, with form t for the
 * text, n for a number and d for a time. Any name can be filtered by, whatever it is, and the mapping never grows. Tokens of one form sort
 * as their values do, so that a range of values is a range of terms, and both bounds hold for one element of a list.
 */

/** Longest text that stands in a token as it is, UTF-16 code units; Lucene takes terms of up to 32,766 bytes. */
const MAX_TEXT = 256;

type Form = 't' | 'n' | 'd';

const tokenOf = (name: string, form: Form, value: string): string => `${comparable(name)}\0${form}${value}`;

/** 16 hexadecimal digits that sort as the numbers do. */
export function sortableNumber(value: number): string {
  const bytes = new DataView(new ArrayBuffer(8));
  bytes.setFloat64(0, value + 0); // -0 becomes 0
  const bits = bytes.getBigUint64(0);
  const sign = 1n << 63n;
  const sortable = bits & sign ? ~bits & ((1n << 64n) - 1n) : bits | sign;
  return sortable.toString(16).padStart(16, '0');
}

/** A longer text is its beginning and a hash of the whole: equal texts stay equal, and those with one beginning lie together. */
function shortened(text: string): string {
  const wellFormed = text.replace(/\p{Surrogate}/gu, '\ufffd');
  if (wellFormed.length <= MAX_TEXT) return wellFormed;
  return `${beginning(wellFormed)}\0${createHash('sha256').update(text).digest('base64url')}`;
}

function beginning(text: string): string {
  return text.slice(0, MAX_TEXT).replace(/\p{Surrogate}/gu, '');
}

/** The tokens of a document's metadata. */
export function metadataTokens(metadata: { readonly [name: string]: MetadataValue }): string[] {
  const tokens = new Set<string>();
  for (const [name, value] of Object.entries(metadata))
    for (const { text, number, timeMs } of filterValues(value)) {
      tokens.add(tokenOf(name, 't', shortened(text)));
      if (number !== null && Number.isFinite(number)) tokens.add(tokenOf(name, 'n', sortableNumber(number)));
      if (timeMs !== null) tokens.add(tokenOf(name, 'd', sortableNumber(timeMs)));
    }
  return [...tokens];
}

type Wanted = SearchScope['filter'][string];

/** The conditions of a filter, all of which must hold. They mean what they mean in the embedded index (../sqlite/scope-conditions.ts). */
export function filterClauses(filter: SearchScope['filter']): Clause[] {
  return Object.entries(filter).flatMap(([name, wanted]) => fieldClauses(name, wanted));
}

function fieldClauses(name: string, wanted: Wanted): Clause[] {
  if (typeof wanted !== 'object') return [{ terms: { fields: equalTokens(name, wanted) } }];
  if (Array.isArray(wanted)) {
    const tokens = wanted.flatMap((one: string | number | boolean) => equalTokens(name, one));
    return [tokens.length === 0 ? { match_none: {} } : { terms: { fields: tokens } }];
  }
  const { gte, lt } = wanted as { readonly gte?: string | number; readonly lt?: string | number };
  const from = gte === undefined ? undefined : bound(gte);
  const to = lt === undefined ? undefined : bound(lt);
  if (!from && !to) return [{ match_none: {} }];
  // Bounds of two forms (a number and a word, say) cannot be one range; then each holds for some element.
  if (from && to && from.form !== to.form)
    return [rangeClause(name, from, undefined), rangeClause(name, undefined, to)];
  return [rangeClause(name, from, to)];
}

/** Numbers compare as numbers, so that 5 finds `5.00`; times as times, so that one instant in two zones is the same; the rest as text. */
function equalTokens(name: string, wanted: string | number | boolean): string[] {
  const { text, number, timeMs } = filterValue(wanted);
  if (typeof wanted === 'number') return [tokenOf(name, 'n', sortableNumber(number ?? 0))];
  const asText = tokenOf(name, 't', shortened(text));
  return timeMs === null ? [asText] : [asText, tokenOf(name, 'd', sortableNumber(timeMs))];
}

interface Bound {
  readonly form: Form;
  readonly value: string;
}

function bound(wanted: string | number): Bound {
  const { text, number, timeMs } = filterValue(wanted);
  if (timeMs !== null) return { form: 'd', value: sortableNumber(timeMs) };
  if (number !== null) return { form: 'n', value: sortableNumber(number) };
  return { form: 't', value: beginning(text) };
}

const NEXT_FORM: Readonly<Record<Form, string>> = { d: 'e', n: 'o', t: 'u' };

function rangeClause(name: string, from: Bound | undefined, to: Bound | undefined): Clause {
  const form = from?.form ?? to?.form ?? 't';
  const gte = tokenOf(name, form, from?.value ?? '');
  const lt = to ? tokenOf(name, form, to.value) : `${comparable(name)}\0${NEXT_FORM[form]}`;
  return { range: { fields: { gte, lt } } };
}
