/** The environment as an argument. */
export type Environment = Readonly<Record<string, string | undefined>>;

/*
 * `${NAME}` cannot stand in a YAML flow mapping (`{ secret: ${NAME} }`): the brace would end the scalar. And a value put into the
 * text before parsing could change the structure of the file. So references are veiled with private-use characters of the same
 * length, which keeps every line and column, and are replaced in the parsed scalars.
 */
const DOLLAR = '\uE000';
const OPEN = '\uE001';
const CLOSE = '\uE002';
const ESCAPED = '\uE003';

const REFERENCE = /\$\$\{([A-Za-z_]\w*\})?|\$\{[^}\s]*\}?/g;
const VEILED = /\uE003\uE000\uE001|\uE000\uE001([^\uE002\s]*)(\uE002?)/g;
const NAME = /^[A-Za-z_]\w*$/;

/** Hides references from the YAML parser. The text keeps its length. */
export function veilReferences(text: string): string {
  return text.replace(REFERENCE, (found) => {
    const escaped = found.startsWith('$$');
    const inner = found.slice(escaped ? 3 : 2);
    const closed = inner.endsWith('}');
    return `${escaped ? ESCAPED : ''}${DOLLAR}${OPEN}${closed ? inner.slice(0, -1) + CLOSE : inner}`;
  });
}

/** The text as it stood in the file. */
export function unveilReferences(text: string): string {
  return text.replaceAll(ESCAPED, '$').replaceAll(DOLLAR, '$').replaceAll(OPEN, '{').replaceAll(CLOSE, '}');
}

export interface Substituted {
  readonly text: string;
  /** Variables that the text was taken from. */
  readonly variables: readonly string[];
  /** What is wrong with references, as sentence parts. */
  readonly problems: readonly string[];
}

/** Puts the environment's values in a veiled scalar; `$${` becomes `${`. Values are not searched for references again. */
export function substituteReferences(veiled: string, env: Environment): Substituted {
  const variables: string[] = [];
  const problems: string[] = [];
  const text = veiled.replace(VEILED, (found, name: string | undefined, close: string | undefined) => {
    if (name === undefined) return '${';
    if (!close || !NAME.test(name)) {
      problems.push(
        `\`${unveilReferences(found)}\` is not a reference; expected \${NAME} (letters, digits and _), or $\${ for a plain \${`,
      );
      return '';
    }
    const value = env[name];
    if (value === undefined || value === '') {
      problems.push(`the environment variable ${name} is ${value === '' ? 'empty' : 'not set'}`);
      return '';
    }
    variables.push(name);
    return value;
  });
  return { text: text.replaceAll(CLOSE, '}'), variables, problems };
}
