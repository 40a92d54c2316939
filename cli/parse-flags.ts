import { parseArgs } from 'node:util';
import { closest } from '../runtime/closest.ts';
import { InvalidUsage } from '../runtime/errors.ts';
import type { Flags, Verb } from './verb.ts';

/** Flags that every verb takes. */
export const commonFlags = {
  config: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const satisfies Verb['flags'];

export const commonFlagHelp: Readonly<Record<keyof typeof commonFlags, string>> = {
  config: 'the config file (default freshet.yaml)',
  json: 'print one JSON value on stdout',
  help: 'show this help',
};

/**
 * Reads what follows the verb.
 * @throws InvalidUsage naming the flag, with the nearest known one.
 */
export function parseFlags(
  verb: Pick<Verb, 'name' | 'flags' | 'words' | 'usage'>,
  args: readonly string[],
): { readonly flags: Flags; readonly words: readonly string[] } {
  const options: Verb['flags'] = { ...commonFlags, ...verb.flags };
  // Not strict: its errors say neither which flag was meant nor how the verb is used.
  const { values, positionals, tokens } = parseArgs({
    args: [...args],
    options,
    allowPositionals: true,
    strict: false,
    tokens: true,
  });
  const help = `see \`freshet help ${verb.name}\``;
  for (const token of tokens) {
    if (token.kind !== 'option') continue;
    const option = options[token.name];
    if (!option) {
      const near = closest(token.name, Object.keys(options));
      throw new InvalidUsage(
        `unknown flag ${token.rawName} of ${verb.name}${near ? `; did you mean --${near}?` : ''} (${help})`,
      );
    }
    if (option.type === 'string' && token.value === undefined)
      throw new InvalidUsage(`${token.rawName} needs a value (${help})`);
    if (option.type === 'string' && !token.inlineValue && token.value?.startsWith('--'))
      throw new InvalidUsage(`${token.rawName} needs a value; got the flag ${token.value} (${help})`);
    if (option.type === 'boolean' && token.value !== undefined)
      throw new InvalidUsage(`${token.rawName} takes no value (${help})`);
  }
  const [least, most] = verb.words;
  if (values['help'] !== true && (positionals.length < least || positionals.length > most))
    throw new InvalidUsage(`usage: freshet ${verb.usage}`);
  return { flags: values, words: positionals };
}

/** The value of a text flag; undefined when it is absent. */
export function textFlag(flags: Flags, name: string): string | undefined {
  const value = flags[name];
  return typeof value === 'string' ? value : undefined;
}

/** Every value of a repeatable flag. */
export function listFlag(flags: Flags, name: string): readonly string[] {
  const value = flags[name];
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : [];
}

/**
 * The value of a whole-number flag.
 * @throws InvalidUsage when it is not one, or outside the bounds.
 */
export function integerFlag(flags: Flags, name: string, minimum: number, maximum: number): number | undefined {
  const value = textFlag(flags, name);
  if (value === undefined) return undefined;
  const number = Number(value);
  if (/^\d{1,15}$/.test(value) && number >= minimum && number <= maximum) return number;
  throw new InvalidUsage(`--${name} expects an integer from ${minimum} to ${maximum}; got ${JSON.stringify(value)}`);
}

/**
 * The value of a flag that takes one of a few words.
 * @throws InvalidUsage naming the words, with the nearest one.
 */
export function choiceFlag<T extends string>(flags: Flags, name: string, choices: readonly T[]): T | undefined {
  const value = textFlag(flags, name);
  if (value === undefined) return undefined;
  const choice = choices.find((candidate) => candidate === value);
  if (choice) return choice;
  const near = closest(value, choices);
  throw new InvalidUsage(
    `--${name} expects one of ${choices.join(', ')}; got ${JSON.stringify(value)}${near ? `; did you mean ${near}?` : ''}`,
  );
}
