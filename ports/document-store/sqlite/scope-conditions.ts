import type { SqlValue } from '../../sqlite.ts';
import type { SearchScope } from '../document-store.ts';
import { comparable, filterValue } from '../filter-value.ts';
import { isName } from '../is-name.ts';

/** A condition on `d`, a row of documents, with the values of its placeholders. Its text depends on the shape of the scope only. */
export interface Condition {
  readonly sql: string;
  readonly values: readonly SqlValue[];
}

/**
 * What a document must fulfil to be seen: alive, of the tenant, readable by one of the groups, and passing the filter. Fails
 * closed: an empty set of groups sees documents without an ACL only, an empty list of values matches nothing.
 */
export function scopeCondition(scope: SearchScope): Condition {
  const { principal, filter } = scope;
  const parts: string[] = ['d.deleted = 0', 'd.tenant = ?'];
  const values: SqlValue[] = [principal.tenant];
  if (!isScope(scope)) parts.push('FALSE');

  const readable = readableBy(principal.groups);
  parts.push(readable ? `(d.is_open = 1 OR ${readable.sql})` : 'd.is_open = 1');
  values.push(...(readable?.values ?? []));

  for (const [name, wanted] of Object.entries(filter)) {
    const condition = fieldCondition(wanted);
    parts.push(`EXISTS (SELECT 1 FROM fields f WHERE f.document = d.number AND f.name = ? AND (${condition.sql}))`);
    values.push(comparable(name), ...condition.values);
  }
  return { sql: parts.join(' AND '), values };
}

/** Whether anything can lie within a scope. */
export function isScope({ principal: { tenant } }: SearchScope): boolean {
  return isName(tenant) && tenant !== '';
}

/** What a document with an ACL must fulfil to be seen, whatever the filter says; undefined when none can be. */
export function closedCondition({ tenant, groups }: SearchScope['principal']): Condition | undefined {
  const readable = readableBy(groups);
  return (
    readable && {
      sql: `d.deleted = 0 AND d.tenant = ? AND d.is_open = 0 AND ${readable.sql}`,
      values: [tenant, ...readable.values],
    }
  );
}

function readableBy(all: readonly string[]): Condition | undefined {
  const groups = [...new Set(all)].filter(isName);
  if (groups.length === 0) return undefined;
  const marks = groups.map(() => '?').join(', ');
  return {
    sql: `EXISTS (SELECT 1 FROM readers r WHERE r.document = d.number AND r.name IN (${marks}))`,
    values: groups,
  };
}

type Wanted = SearchScope['filter'][string];

/** A condition on `f`, a row of fields. */
function fieldCondition(wanted: Wanted): Condition {
  if (Array.isArray(wanted)) return anyOf(wanted.map(equal));
  if (typeof wanted !== 'object') return equal(wanted);
  const bounds: Condition[] = [];
  if (wanted.gte !== undefined) bounds.push(bound('>=', wanted.gte));
  if (wanted.lt !== undefined) bounds.push(bound('<', wanted.lt));
  if (bounds.length === 0) return { sql: 'FALSE', values: [] };
  return { sql: bounds.map(({ sql }) => sql).join(' AND '), values: bounds.flatMap(({ values }) => values) };
}

function anyOf(conditions: readonly Condition[]): Condition {
  if (conditions.length === 0) return { sql: 'FALSE', values: [] };
  return {
    sql: conditions.map(({ sql }) => `(${sql})`).join(' OR '),
    values: conditions.flatMap(({ values }) => values),
  };
}

/** Numbers compare as numbers, so that 5 finds `5.00`; times as times, so that one instant in two zones is the same; the rest as text. */
function equal(wanted: string | number | boolean): Condition {
  const { text, number, timeMs } = filterValue(wanted);
  if (typeof wanted === 'number') return { sql: 'f.number = ?', values: [number] };
  if (timeMs !== null) return { sql: 'f.text = ? OR f.time_ms = ?', values: [text, timeMs] };
  return { sql: 'f.text = ?', values: [text] };
}

function bound(operator: '>=' | '<', wanted: string | number): Condition {
  const { text, number, timeMs } = filterValue(wanted);
  if (timeMs !== null) return { sql: `f.time_ms ${operator} ?`, values: [timeMs] };
  if (number !== null) return { sql: `f.number ${operator} ?`, values: [number] };
  return { sql: `f.text ${operator} ?`, values: [text] };
}
