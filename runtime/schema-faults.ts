import type { TLocalizedValidationError } from 'typebox/error';
import type { RequestFault } from './errors.ts';
import { jsonPointer } from './strict-json.ts';

const MAX_FAULTS = 100;

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
    switch (error.keyword) {
      case 'required':
        for (const name of error.params.requiredProperties)
          add(details, `${pointer}${jsonPointer([name])}`, 'is required');
        break;
      case 'boolean':
        add(details, pointer, 'is not a known field');
        break;
      case 'const':
        add(allowed, pointer, JSON.stringify(error.params.allowedValue));
        break;
      case 'additionalProperties': // each unknown field has a fault of its own
      case 'anyOf': // each branch has one
        break;
      default:
        add(details, pointer, error.message);
    }
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
