/** Names of topics and groups as the brokers know them, and back. */
export interface Names {
  toWire(name: string): string;
  /** undefined for a name that is not of this namespace. */
  fromWire(name: string): string | undefined;
}

/** Names behind a namespace; all of them when it is empty. */
export function namesIn(namespace: string): Names {
  const prefix = namespace === '' ? '' : `${namespace}.`;
  return {
    toWire: (name) => `${prefix}${name}`,
    // Kafka's own topics begin with two underscores.
    fromWire: (name) => (name.startsWith(prefix) && !name.startsWith('__') ? name.slice(prefix.length) : undefined),
  };
}
