import { InvalidUsage } from '../runtime/errors.ts';
import type { Filter } from '../schemas/query.ts';

type Scalar = string | number | boolean;

/**
 * Reads `--filter` conditions: `name=value` (given again: any of the values), `name>=x`, `name<x`. A number or `true`/`false` is taken
 * as such; quotes make it a text: `code="007"`.
 * @throws InvalidUsage naming the condition.
 */
export function parseFilter(conditions: readonly string[]): Filter | undefined {
  if (conditions.length === 0) return undefined;
  const values = new Map<string, Scalar[]>();
  const ranges = new Map<string, { gte?: string | number; lt?: string | number }>();
  for (const condition of conditions) {
    const match = /^([^=<>]+?)\s*(>=|<|=)\s*(.*)$/s.exec(condition.trim());
    const [, name, operator, text] = match ?? [];
    if (!name || text === undefined || text === '')
      throw new InvalidUsage(`--filter expects name=value, name>=x or name<x; got ${JSON.stringify(condition)}`);
    const value = scalar(text);
    if (operator === '=') values.set(name, [...(values.get(name) ?? []), value]);
    else if (typeof value === 'boolean')
      throw new InvalidUsage(`--filter ${name}: a bound is a number or a text; got ${text}`);
    else ranges.set(name, { ...ranges.get(name), [operator === '<' ? 'lt' : 'gte']: value });
  }
  const both = [...values.keys()].find((name) => ranges.has(name));
  if (both) throw new InvalidUsage(`--filter ${both} is given as a value and as a range; use one of them`);
  const single = [...values].map(([name, list]) => [name, list.length === 1 ? list[0] : list] as const);
  return Object.fromEntries([...single, ...ranges]) as Filter;
}

function scalar(text: string): Scalar {
  const quoted = /^"(.*)"$/s.exec(text);
  if (quoted) return quoted[1] ?? '';
  if (text === 'true' || text === 'false') return text === 'true';
  return /^-?\d{1,15}(\.\d+)?$/.test(text) ? Number(text) : text;
}
