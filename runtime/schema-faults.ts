import type { TLocalizedValidationError } from 'typebox/error';
import { Settings } from 'typebox/system';
import type { RequestFault } from './errors.ts';
import { jsonPointer } from './strict-json.ts';

const MAX_FAULTS = 100;
// The default stops after eight; a caller should mend a request in one go.
Settings.Set({ maxErrors: 4 * MAX_FAULTS });
/** They sum up what each unknown field, or each branch of a union, has a fault of its own for. */
const SUMMARIES = new Set(['additionalProperties', 'anyOf']);

/**
 * What a schema found wrong, one fault per place, worded for the caller. Names places, expected forms and limits; never what was sent.
 */
export function schemaFaults(errors: readonly TLocalizedValidationError[]): readonly RequestFault[] {
  const details = new Map<string, Set<string>>();
  const allowed = new Map<string, Set<string>>();
  const add = (to: Map<string, Set<string>>, pointer: string, text: string): void => {
    to.set(pointer, (to.get(pointer) ?? new Set()).add(text));
  };
  for (const error of errors) {
    const pointer = cut(error.instancePath);
    if (error.keyword === 'required')
      for (const name of error.params.requiredProperties)
        add(details, `${pointer}${jsonPointer([name])}`, 'is required');
    else if (error.keyword === 'boolean') add(details, pointer, 'is not a known field');
    else if (error.keyword === 'const') add(allowed, pointer, JSON.stringify(error.params.allowedValue));
    else if (!SUMMARIES.has(error.keyword)) add(details, pointer, error.message);
  }
  for (const [pointer, values] of allowed) add(details, pointer, `must be one of ${[...values].join(', ')}`);
  return [...details].slice(0, MAX_FAULTS).map(([pointer, found]) => ({ pointer, detail: [...found].join(' or ') }));
}

/** A pointer tells a place: names of the caller's in it are cut. */
function cut(pointer: string): string {
  return pointer
    .split('/')
    .map((part) => part.slice(0, 100))
    .join('/');
}
