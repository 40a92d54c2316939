import { closest } from '../closest.ts';
import type { ConfigFault } from '../errors.ts';
import { childPath, type ConfigNode, type Place } from './config-node.ts';
import { choices, discriminatorOf, expectedForm, type Shape } from './shape.ts';

/**
 * Checks nodes against the config table and fills in defaults. Every fault is collected; the value is of the table's form iff
 * there are none.
 */
export function checkConfig(
  shape: Shape,
  root: ConfigNode,
): { readonly value: unknown; readonly faults: readonly ConfigFault[] } {
  const checker = new Checker();
  const value = checker.check(shape, root, '', '');
  return { value, faults: checker.faults };
}

/** The value that an absent key gets; defaults of inner keys are filled in. */
function defaultOf(shape: Shape): unknown {
  if (shape.default === undefined || !shape.properties) return shape.default;
  const filled: Record<string, unknown> = {};
  for (const [key, inner] of Object.entries(shape.properties)) {
    const value = defaultOf(inner);
    if (value !== undefined) filled[key] = value;
  }
  return filled;
}

class Checker {
  readonly faults: ConfigFault[] = [];

  check(shape: Shape, node: ConfigNode, path: string, key: string): unknown {
    if (node.kind === 'scalar' && node.broken) return undefined;
    const words = choices(shape);
    if (words) return this.#checkChoice(shape, words, node, path, key);
    if (shape.anyOf) return this.#checkUnion(shape.anyOf, shape, node, path, key);
    switch (shape.type ?? 'string') {
      case 'object':
        return this.#checkMap(shape, node, path, key);
      case 'array':
        return this.#checkList(shape, node, path, key);
      case 'integer':
      case 'number':
        return this.#checkNumber(shape, node, path, key);
      case 'string':
        return this.#checkText(shape, node, path, key);
    }
  }

  #checkMap(shape: Shape, node: ConfigNode, path: string, key: string): unknown {
    const properties = shape.properties ?? {};
    // `server:` with nothing below it means the section with its defaults.
    const isEmpty = node.kind === 'scalar' && node.value === null;
    if (node.kind !== 'map' && !isEmpty) return this.#unexpected(shape, node, path, key);
    const entries = node.kind === 'map' ? node.entries : new Map<string, never>();
    for (const [name, entry] of entries) {
      if (!Object.hasOwn(properties, name)) this.#unknownKey(name, Object.keys(properties), path, entry.place);
    }
    const value: Record<string, unknown> = {};
    for (const [name, inner] of Object.entries(properties)) {
      const entry = entries.get(name);
      const innerPath = childPath(path, name);
      if (entry) value[name] = this.check(inner, entry.node, innerPath, name);
      else if (shape.required?.includes(name))
        this.#fault(innerPath, node.place, `missing; expected ${expectedForm(inner, name)}${meaning(inner)}`);
      else {
        const filled = defaultOf(inner);
        if (filled !== undefined) value[name] = filled;
      }
    }
    return value;
  }

  #unknownKey(name: string, known: readonly string[], path: string, place: Place): void {
    const near = closest(name, known);
    const hint = near
      ? `; did you mean \`${near}\`?`
      : `; the keys here are ${known.map((k) => `\`${k}\``).join(', ')}`;
    this.#fault(childPath(path, name), place, `unknown key${hint}`);
  }

  #checkList(shape: Shape, node: ConfigNode, path: string, key: string): unknown {
    if (node.kind !== 'list') return this.#unexpected(shape, node, path, key);
    if (node.items.length < (shape.minItems ?? 0))
      this.#fault(path, node.place, `expected ${expectedForm(shape, key)}; got an empty one`);
    const { items } = shape;
    if (!items) return [];
    return node.items.map((item, index) => this.check(items, item, childPath(path, index), key));
  }

  #checkUnion(branches: readonly Shape[], shape: Shape, node: ConfigNode, path: string, key: string): unknown {
    if (node.kind !== 'map') {
      const wanted = node.kind === 'list' ? 'array' : 'string';
      const branch = branches.find((candidate) => candidate.type === wanted);
      return branch ? this.check(branch, node, path, key) : this.#unexpected(shape, node, path, key);
    }
    const maps = branches.filter((branch) => branch.type === 'object');
    const discriminator = discriminatorOf(maps);
    if (!discriminator) {
      const branch = maps.find((map) => Object.keys(map.properties ?? {}).some((name) => node.entries.has(name)));
      return branch ? this.check(branch, node, path, key) : this.#unexpected(shape, node, path, key);
    }
    const words = maps.map((map) => map.properties?.[discriminator]?.const ?? '');
    const told = node.entries.get(discriminator);
    const tellingPath = childPath(path, discriminator);
    const expected = { anyOf: words.map((word) => ({ const: word })) };
    if (!told) {
      this.#fault(tellingPath, node.place, `missing; expected ${expectedForm(expected, discriminator)}`);
      return undefined;
    }
    const word = this.check(expected, told.node, tellingPath, discriminator);
    // Without a valid kind the other keys mean nothing, so only this one fault is shown.
    const branch = maps[words.findIndex((candidate) => candidate === word)];
    return branch ? this.check(branch, node, path, key) : undefined;
  }

  #checkChoice(shape: Shape, words: readonly string[], node: ConfigNode, path: string, key: string): unknown {
    if (node.kind !== 'scalar') return this.#unexpected(shape, node, path, key);
    const word = String(node.value);
    if (words.includes(word)) return word;
    const near = node.variables.length > 0 ? undefined : closest(word, words);
    const hint = near && words.length > 1 ? `; did you mean \`${near}\`?` : '';
    this.#fault(path, node.place, `expected ${expectedForm(shape, key)}; got ${shown(node, shape)}${hint}`);
    return undefined;
  }

  #checkNumber(shape: Shape, node: ConfigNode, path: string, key: string): unknown {
    if (node.kind !== 'scalar') return this.#unexpected(shape, node, path, key);
    // The environment has only text; a number that was written in the file must be one there.
    const digits = shape.type === 'integer' ? /^-?\d{1,15}$/ : /^-?\d{1,15}(\.\d{1,15})?$/;
    const value = node.variables.length > 0 && digits.test(String(node.value)) ? Number(node.value) : node.value;
    const { minimum = -Infinity, maximum = Infinity } = shape;
    const isWhole = shape.type === 'number' || Number.isInteger(value);
    if (typeof value === 'number' && isWhole && value >= minimum && value <= maximum) return value;
    return this.#unexpected(shape, node, path, key);
  }

  #checkText(shape: Shape, node: ConfigNode, path: string, key: string): unknown {
    if (node.kind !== 'scalar' || node.value === null) return this.#unexpected(shape, node, path, key);
    if (typeof node.value !== 'string') {
      this.#fault(path, node.place, `expected a text; got ${shown(node, shape)}; put it in quotes`);
      return undefined;
    }
    if (node.value.length < (shape.minLength ?? 0)) return this.#unexpected(shape, node, path, key);
    const fits = !shape.pattern || new RegExp(shape.pattern, 'u').test(node.value);
    return fits ? node.value : this.#unexpected(shape, node, path, key);
  }

  #unexpected(shape: Shape, node: ConfigNode, path: string, key: string): undefined {
    this.#fault(path, node.place, `expected ${expectedForm(shape, key)}; got ${shown(node, shape)}`);
    return undefined;
  }

  #fault(path: string, place: Place, problem: string): void {
    this.faults.push({ path, ...place, problem });
  }
}

function meaning(shape: Shape): string {
  return shape.description ? ` (${shape.description.replace(/\.$/, '')})` : '';
}

/** What stands in the file, never the value of a secret or of an environment variable. */
function shown(node: ConfigNode, shape: Shape): string {
  if (node.kind === 'map') return 'a map';
  if (node.kind === 'list') return 'a list';
  if (node.value === null) return 'nothing';
  if (node.variables.length > 0) return `the value of ${node.variables.map((name) => `\${${name}}`).join(' and ')}`;
  if (shape.secret) return 'a value that is not shown';
  const text = JSON.stringify(node.value);
  return text.length > 60 ? `${text.slice(0, 60)}...` : text;
}
