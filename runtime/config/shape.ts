import { Config } from './config.ts';

/** The parts of JSON Schema that the config table uses. TypeBox schemas are plain JSON Schema, so the table is read as it is. */
export interface Shape {
  readonly type?: 'object' | 'array' | 'integer' | 'number' | 'string';
  readonly const?: string;
  readonly anyOf?: readonly Shape[];
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly required?: readonly string[];
  readonly items?: Shape;
  readonly minItems?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly pattern?: string;
  /** The pattern in words. */
  readonly form?: string;
  readonly default?: unknown;
  readonly description?: string;
  /** `true`: never printed; `'url'`: printed without its password. */
  readonly secret?: true | 'url';
}

/** The whole table. */
export const configShape = Config as unknown as Shape;

/** The words of a union of literals; undefined for anything else. */
export function choices(shape: Shape): readonly string[] | undefined {
  if (shape.const !== undefined) return [shape.const];
  const words = shape.anyOf?.map((branch) => branch.const);
  return words?.every((word) => word !== undefined) ? words : undefined;
}

/** The key whose value tells the branches of a union of maps apart, such as `kind`. */
export function discriminatorOf(branches: readonly Shape[]): string | undefined {
  const first = branches[0]?.properties ?? {};
  return Object.keys(first).find((key) => branches.every((branch) => branch.properties?.[key]?.const !== undefined));
}

const UNITS: readonly (readonly [suffix: string, unit: string])[] = [
  ['Ms', 'ms'],
  ['Bytes', 'bytes'],
  ['Tokens', 'tokens'],
  ['Records', 'records'],
  ['Rows', 'rows'],
  ['Days', 'days'],
];

/** The unit of a number, which its key ends with. */
export function unitOf(key: string): string | undefined {
  return UNITS.find(([suffix]) => key.endsWith(suffix))?.[1];
}

/** What a value has to be, in words: `an integer from 100 to 600000, in ms`. */
export function expectedForm(shape: Shape, key: string): string {
  const words = choices(shape);
  if (words) return words.length === 1 ? `\`${words[0]}\`` : `one of ${words.map((word) => `\`${word}\``).join(', ')}`;
  if (shape.anyOf) return [...new Set(shape.anyOf.map((branch) => expectedForm(branch, key)))].join(' or ');
  switch (shape.type ?? 'string') {
    case 'integer': {
      const unit = unitOf(key);
      return `an integer from ${shape.minimum} to ${shape.maximum}${unit ? `, in ${unit}` : ''}`;
    }
    case 'number':
      return `a number from ${shape.minimum} to ${shape.maximum}`;
    case 'array': {
      const what = shape.items?.type === 'string' ? 'words' : 'maps';
      return shape.minItems ? `a list of ${what}, at least one` : `a list of ${what}`;
    }
    case 'object': {
      const keys = Object.keys(shape.properties ?? {});
      return keys.length === 1 ? `\`{ ${keys[0]}: ... }\`` : 'a map';
    }
    case 'string':
      return shape.form ?? 'a text';
  }
}
