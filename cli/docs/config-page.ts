import { choices, configShape, discriminatorOf, unitOf, type Shape } from '../../runtime/config/shape.ts';

/** One key of the config table. */
export interface DocumentedKey {
  /** `sources[].tables[].body`. */
  readonly path: string;
  readonly form: string;
  readonly unit: string;
  readonly defaultValue: string;
  readonly meaning: string;
}

/** Keys of one part of the file: the part's heading and its keys in the order of the table. */
interface Section {
  readonly heading: string;
  readonly keys: readonly DocumentedKey[];
}

/** Every key of the config, part by part. */
export function documentedSections(): readonly Section[] {
  const sections: Section[] = [];
  const topLevel: DocumentedKey[] = [];
  for (const [key, shape] of Object.entries(configShape.properties ?? {})) {
    const isRequired = configShape.required?.includes(key) ?? false;
    topLevel.push(documented(key, key, shape, isRequired));
    if (shape.type === 'object') sections.push({ heading: `\`${key}\``, keys: keysBelow(key, shape) });
    else if (shape.items) sections.push(...itemSections(key, shape.items));
  }
  return [{ heading: 'Top level', keys: topLevel }, ...sections];
}

/** A list whose items are of several kinds gets a section per kind. */
function itemSections(key: string, items: Shape): readonly Section[] {
  const branches = items.anyOf ?? [items];
  const discriminator = discriminatorOf(branches) ?? 'kind';
  return branches.map((branch) => ({
    heading:
      branches.length === 1
        ? `\`${key}[]\``
        : `\`${key}[]\` with \`${discriminator}: ${branch.properties?.[discriminator]?.const ?? ''}\``,
    keys: keysBelow(`${key}[]`, branch),
  }));
}

function keysBelow(path: string, shape: Shape): readonly DocumentedKey[] {
  return Object.entries(shape.properties ?? {}).flatMap(([key, inner]) => {
    const innerPath = `${path}.${key}`;
    const below =
      inner.type === 'array' && inner.items?.type === 'object' ? keysBelow(`${innerPath}[]`, inner.items) : [];
    const nested = inner.type === 'object' ? keysBelow(innerPath, inner) : [];
    return [documented(innerPath, key, inner, shape.required?.includes(key) ?? false), ...below, ...nested];
  });
}

function documented(path: string, key: string, shape: Shape, isRequired: boolean): DocumentedKey {
  const isPlainDefault = shape.default !== undefined && typeof shape.default !== 'object';
  const defaultValue = isPlainDefault
    ? `\`${String(shape.default as string | number)}\``
    : isRequired
      ? 'required'
      : '';
  const hidden =
    shape.secret === true ? ' Secret: prints as `***`.' : shape.secret === 'url' ? ' Its password never prints.' : '';
  return {
    path,
    form: formOf(shape),
    unit: shape.type === 'integer' ? (unitOf(key) ?? '') : '',
    defaultValue,
    meaning: `${shape.description ?? ''}${hidden}`,
  };
}

function formOf(shape: Shape): string {
  const words = choices(shape);
  if (words) return words.map((word) => `\`${word}\``).join(', ');
  if (shape.anyOf) return [...new Set(shape.anyOf.map(formOf))].join(' or ');
  if (shape.type === 'integer') return `integer, ${shape.minimum} to ${shape.maximum}`;
  if (shape.type === 'number') return `number, ${shape.minimum} to ${shape.maximum}`;
  if (shape.type === 'array') return shape.items?.type === 'string' ? 'list of texts' : 'list of maps';
  if (shape.type === 'object') {
    const keys = Object.keys(shape.properties ?? {});
    return keys.length === 1 ? `\`{ ${keys[0]} }\`` : 'map';
  }
  return shape.form ? `text: ${shape.form}` : 'text';
}

const EXAMPLE = `profile: embedded
dataDir: .freshet
server: { host: 127.0.0.1, port: 8080 }
auth: { mode: none }
sources:
  - name: helpdesk
    kind: postgres
    connection: \${HELPDESK_URL}
    tables:
      - table: public.articles
        title: title
        body: [summary, body]
        bodyFormat: markdown
        tenant: { column: tenant_id }
        acl: { column: groups }
        metadata: [category, updated_at]
  - name: crm
    kind: webhook
    signature: { scheme: standard-webhooks, secret: \${CRM_SECRET} }
`;

/** The example of docs/CONFIG.md; a test loads it. */
export const exampleConfig = EXAMPLE;

/** docs/CONFIG.md. */
export function configPage(): string {
  const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
  const sections = documentedSections().map(({ heading, keys }) =>
    [
      `## ${heading}`,
      '',
      '| key | form | unit | default | meaning |',
      '| --- | --- | --- | --- | --- |',
      ...keys.map((key) =>
        `| \`${key.path}\` | ${cell(key.form)} | ${key.unit} | ${cell(key.defaultValue)} | ${cell(key.meaning)} |`.replace(
          /\| {2,}(?=\|)/g,
          '| ',
        ),
      ),
    ].join('\n'),
  );
  return [
    '# Config',
    '',
    'One YAML file, `freshet.yaml` in the working directory unless `--config` names another one. `${NAME}` reads the environment, also',
    'inside braces; `$${` stands for a plain `${`. A missing variable is a fault. `freshet check` names every fault of a file at once,',
    'with line and column. A relative `dataDir` is relative to the folder of the file; the variable `FRESHET_DATA_DIR` overrides it.',
    '',
    '```yaml',
    exampleConfig.trimEnd(),
    '```',
    '',
    'The profile `cluster` needs `kafka`, `elasticsearch` and `redis`, and `connect` for sources of kind `debezium`;',
    '`deploy/freshet.cluster.yaml` is an example.',
    '',
    'This page is generated from the table in `runtime/config/config.ts` by `npm run docs`.',
    '',
    sections.join('\n\n'),
    '',
  ].join('\n');
}
