import type { SearchScope } from '../document-store.ts';
import { isName } from '../is-name.ts';
import type { Clause } from './clause.ts';
import { filterClauses } from './filter-tokens.ts';
import { parseTableKey, type EffectiveFloors } from './floors.ts';

/** Documents that lie below a range tombstone: gone, though a write that was under way may have left one. */
export function belowFloors(floors: EffectiveFloors): Clause[] {
  return [...floors].flatMap(([key, version]) => {
    const { source, table } = parseTableKey(key);
    return [
      {
        bool: { filter: [{ term: { source } }, { term: { table } }, { range: { version: { lt: String(version) } } }] },
      },
    ];
  });
}

/**
 * What a document must fulfil to be seen: alive, of the tenant, readable by one of the groups, and passing the filter. Fails closed: an
 * empty set of groups sees documents without an ACL only, an empty list of values matches nothing.
 */
export function scopeQuery({ principal, filter }: SearchScope, floors: EffectiveFloors): Clause {
  const { tenant } = principal;
  if (tenant === '' || !isName(tenant)) return { match_none: {} };
  const groups = [...new Set(principal.groups)].filter(isName);
  const open: Clause = { term: { open: true } };
  return {
    bool: {
      filter: [
        { term: { deleted: false } },
        { term: { tenant } },
        groups.length === 0
          ? open
          : { bool: { should: [open, { terms: { readers: groups } }], minimum_should_match: 1 } },
        ...filterClauses(filter),
      ],
      must_not: belowFloors(floors),
    },
  };
}
