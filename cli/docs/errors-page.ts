import { FreshetError, type Fate } from '../../runtime/errors.ts';
import * as errors from '../../runtime/errors.ts';

type ErrorClass = new (message?: string) => FreshetError;

const doneByFate: Readonly<Record<Fate, string>> = {
  retry: 'tries the same again, with growing delays',
  'dead-letter': 'parks the record and goes on with the others',
  fatal: 'stops what it was asked for; somebody has to act',
};

/** One error of ours, as docs/ERRORS.md lists it. */
export interface DocumentedError {
  readonly name: string;
  readonly code: string;
  readonly fate: Fate;
  readonly status: number;
  /** Its docstring. */
  readonly meaning: string;
}

/**
 * Every error class with its docstring, by code. `source` is the text of runtime/errors.ts.
 * @throws Error for a class without a docstring.
 */
export function documentedErrors(source: string): readonly DocumentedError[] {
  const classes = (Object.values(errors) as readonly unknown[]).filter(
    (value): value is ErrorClass => typeof value === 'function' && value.prototype instanceof FreshetError,
  );
  return classes
    .map((errorClass) => {
      const { code, fate, status } = new errorClass();
      return { name: errorClass.name, code, fate, status, meaning: docstringOf(errorClass.name, source) };
    })
    .toSorted((a, b) => (a.code < b.code ? -1 : 1));
}

function docstringOf(name: string, source: string): string {
  const declared = source.indexOf(`export class ${name} `);
  const comment = /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*$/.exec(source.slice(0, declared))?.[1];
  if (!comment) throw new Error(`${name} of runtime/errors.ts has no docstring`);
  return comment
    .split('\n')
    .map((line) => line.replace(/^\s*\*?\s?/, '').trim())
    .filter((line) => line !== '')
    .join(' ');
}

/** docs/ERRORS.md. */
export function errorsPage(source: string): string {
  const sections = documentedErrors(source).map(({ name, code, fate, status, meaning }) =>
    [
      `## ${code}`,
      '',
      meaning,
      '',
      `Class \`${name}\`. Fate \`${fate}\`: Freshet ${doneByFate[fate]}. HTTP status, where it reaches a caller: ${status}.`,
    ].join('\n'),
  );
  return [
    '# Errors',
    '',
    'Every error has a stable code. It stands in logs, in dead letters (`freshet failures list`), in HTTP problem bodies (`code`)',
    'and in what the command line prints. Branch on the code, never on the message. Text of documents is never part of an error.',
    '',
    'This page is generated from `runtime/errors.ts` by `npm run docs`.',
    '',
    sections.join('\n\n'),
    '',
  ].join('\n');
}
