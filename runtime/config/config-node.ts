import {
  LineCounter,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  parseDocument,
  type Document,
  type Node,
  type YAMLMap,
} from 'yaml';
import type { ConfigFault } from '../errors.ts';
import { substituteReferences, unveilReferences, veilReferences, type Environment } from './environment-references.ts';

/** Line and column of the file, both from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** A parsed config file with the place of every value, references resolved. */
export type ConfigNode =
  | { readonly kind: 'map'; readonly place: Place; readonly entries: ReadonlyMap<string, ConfigEntry> }
  | { readonly kind: 'list'; readonly place: Place; readonly items: readonly ConfigNode[] }
  | {
      readonly kind: 'scalar';
      readonly place: Place;
      readonly value: unknown;
      /** Environment variables the value was taken from: it must not be shown. */
      readonly variables: readonly string[];
      /** A reference was faulty and is reported already. */
      readonly broken: boolean;
    };

export interface ConfigEntry {
  /** Place of the key. */
  readonly place: Place;
  readonly node: ConfigNode;
}

/** More than any config needs; aliases within aliases would otherwise unfold without end. */
const MAX_NODES = 100_000;
const MAX_DEPTH = 64;

/** Reads YAML into nodes. Syntax errors, duplicate keys and faulty references become faults, all at once. */
export function parseNodes(
  text: string,
  env: Environment,
): { readonly root: ConfigNode | undefined; readonly faults: readonly ConfigFault[] } {
  const lines = new LineCounter();
  // Duplicate keys are found below, with both places; yaml's own error has neither the key nor the first place.
  const document = parseDocument(veilReferences(text), { lineCounter: lines, prettyErrors: false, uniqueKeys: false });
  const placeAt = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  if (document.errors.length > 0) {
    const faults = document.errors.map((error) => ({
      path: '',
      ...placeAt(error.pos[0]),
      problem: `not YAML: ${unveilReferences(error.message)}`,
    }));
    return { root: undefined, faults };
  }
  const reader = new NodeReader(document, env, placeAt);
  const root = document.contents === null ? undefined : reader.read(document.contents, '');
  return { root, faults: reader.faults };
}

/** `sources[0]`, `sources[0].name`. */
export function childPath(path: string, key: string | number): string {
  if (typeof key === 'number') return `${path}[${key}]`;
  return path === '' ? key : `${path}.${key}`;
}

function broken(place: Place): ConfigNode {
  return { kind: 'scalar', place, value: null, variables: [], broken: true };
}

class NodeReader {
  readonly faults: ConfigFault[] = [];
  readonly #document: Document;
  readonly #env: Environment;
  readonly #placeAt: (offset: number) => Place;
  #nodes = 0;
  #unfolded = false;

  constructor(document: Document, env: Environment, placeAt: (offset: number) => Place) {
    this.#document = document;
    this.#env = env;
    this.#placeAt = placeAt;
  }

  read(node: Node, path: string, depth = 0): ConfigNode {
    const place = this.#placeAt(node.range?.[0] ?? 0);
    this.#nodes += 1;
    if (this.#nodes > MAX_NODES || depth > MAX_DEPTH) {
      if (!this.#unfolded) this.#fault(path, place, 'nested too deeply; does an alias contain itself?');
      this.#unfolded = true;
      return broken(place);
    }
    if (isAlias(node)) {
      const target = node.resolve(this.#document);
      if (target) return this.read(target, path, depth + 1);
      this.#fault(path, place, 'the alias stands for nothing');
      return broken(place);
    }
    if (isMap(node)) return this.#readMap(node, path, depth, place);
    if (isSeq(node)) {
      const items = node.items.map((item, index) => this.read(item as Node, childPath(path, index), depth + 1));
      return { kind: 'list', place, items };
    }
    return this.#readScalar(isScalar(node) ? node.value : null, path, place);
  }

  #readMap(node: YAMLMap, path: string, depth: number, place: Place): ConfigNode {
    const entries = new Map<string, ConfigEntry>();
    for (const { key, value } of node.items as { key: Node; value: Node | null }[]) {
      const name = isScalar(key) ? unveilReferences(String(key.value)) : undefined;
      const keyPlace = this.#placeAt(key.range?.[0] ?? 0);
      if (name === undefined) {
        this.#fault(path, keyPlace, 'a key must be a word');
        continue;
      }
      const first = entries.get(name);
      if (first) {
        this.#fault(
          childPath(path, name),
          keyPlace,
          `given twice; the first one stands in line ${first.place.line}, remove one of them`,
        );
        continue;
      }
      entries.set(name, {
        place: keyPlace,
        node:
          value === null
            ? { kind: 'scalar', place: keyPlace, value: null, variables: [], broken: false }
            : this.read(value, childPath(path, name), depth + 1),
      });
    }
    return { kind: 'map', place, entries };
  }

  #readScalar(value: unknown, path: string, place: Place): ConfigNode {
    if (typeof value !== 'string') return { kind: 'scalar', place, value, variables: [], broken: false };
    const { text, variables, problems } = substituteReferences(value, this.#env);
    for (const problem of problems) this.#fault(path, place, problem);
    return { kind: 'scalar', place, value: text, variables, broken: problems.length > 0 };
  }

  #fault(path: string, place: Place, problem: string): void {
    this.faults.push({ path, ...place, problem });
  }
}
