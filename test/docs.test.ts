import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { exampleConfig } from '../cli/docs/config-page.ts';
import { documentedErrors } from '../cli/docs/errors-page.ts';
import { generatedPages } from '../cli/docs/pages.ts';
import { verbs } from '../cli/verbs.ts';
import { parseConfig } from '../runtime/config/load-config.ts';
import { filesBelow, readSourceFiles, root } from './support/source-files.ts';

const read = (path: string) => readFileSync(join(root, path), 'utf8');
const pages = ['README.md', 'CHANGELOG.md', ...filesBelow('docs', '.md')];

/** Commands of the README that .ci/run runs under another name, with the reason. */
const ranAs: Readonly<Record<string, string>> = {
  // The demo stays up until Ctrl-C; with --once it ends by itself.
  'npm start': 'npm start -- --once',
};

describe('generated pages', () => {
  const generated = generatedPages(pathToFileURL(`${root}/`));

  test.each(Object.keys(generated))('docs/%s is what `npm run docs` writes', (name) => {
    expect(read(`docs/${name}`)).toBe(generated[name]);
  });

  test('the example of docs/CONFIG.md is a valid config', () => {
    const env = { HELPDESK_URL: 'postgres://localhost/helpdesk', CRM_SECRET: 'whsec_dGVzdA==' };
    expect(parseConfig(exampleConfig, env, 'freshet.yaml').sources).toHaveLength(2);
  });

  test('every error code of the code is documented', () => {
    const documented = new Set(documentedErrors(read('runtime/errors.ts')).map(({ code }) => code));
    const used = readSourceFiles()
      .filter((file) => !file.isTest)
      .flatMap((file) => [...file.code.matchAll(/['"](FRESHET_[A-Z_]+)['"]/g)].map((match) => match[1] ?? ''))
      // Variables of the environment and the switches of failpoints share the prefix.
      .filter((word) => !environment.has(word));
    expect([...new Set(used)].filter((code) => !documented.has(code))).toEqual([]);
  });
});

/** Names that begin like an error code and are none. */
const environment = new Set(['FRESHET_DATA_DIR', 'FRESHET_RDKAFKA_PATH', 'FRESHET_TOKEN', 'FRESHET_API_KEY']);

describe('docs/SPEC.md', () => {
  const sections = read('docs/SPEC.md').split(/^## /m).slice(1);
  const invariants = sections.filter((section) => /^I\d+ /.test(section));
  /** `- \`file\`: "title"` */
  const enforcements = invariants.flatMap((section) =>
    [...section.matchAll(/^- `([^`]+)`: "(.+)"$/gm)].map((match) => ({
      invariant: section.split(' ')[0],
      file: match[1] ?? '',
      title: match[2] ?? '',
    })),
  );

  test('states every invariant from I1 to I12', () => {
    const numbers = invariants.map((section) => section.split(' ')[0]);
    expect(numbers).toEqual(Array.from({ length: 12 }, (_, index) => `I${index + 1}`));
  });

  test('names a test for every invariant', () => {
    const enforced = new Set(enforcements.map(({ invariant }) => invariant));
    expect(invariants.map((section) => section.split(' ')[0]).filter((name) => !enforced.has(name))).toEqual([]);
  });

  test('names only tests that exist', () => {
    const gone = enforcements.filter(
      ({ file, title }) => !existsSync(join(root, file)) || !titlesOf(file).includes(title),
    );
    expect(gone).toEqual([]);
  });

  test('has a section that says what is not there', () => {
    expect(sections.find((section) => section.startsWith('Gaps'))?.length).toBeGreaterThan(200);
  });
});

/** Titles of tests as the file writes them. */
function titlesOf(file: string): readonly string[] {
  return [...read(file).matchAll(/(['"`])((?:(?!\1)[^\\\n]|\\.)+)\1/g)].map((match) =>
    (match[2] ?? '').replace(/\\(['"`])/g, '$1'),
  );
}

describe('links', () => {
  test.each(pages)('%s has no dead relative link', (page) => {
    const text = read(page).replace(/```[\s\S]*?```/g, '');
    const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1] ?? '');
    const dead = links.filter((link) => {
      if (/^[a-z]+:/.test(link)) return false;
      const [path = '', anchor] = link.split('#');
      const target = path === '' ? page : posix.join(posix.dirname(page), path);
      if (!existsSync(join(root, target))) return true;
      return anchor !== undefined && !anchorsOf(read(target)).includes(anchor);
    });
    expect(dead).toEqual([]);
  });

  test('docs/adr/README.md links every decision', () => {
    const index = read('docs/adr/README.md');
    const decisions = filesBelow('docs/adr', '.md').filter((path) => !path.endsWith('README.md'));
    expect(decisions.filter((path) => !index.includes(`(${posix.basename(path)})`))).toEqual([]);
  });

  test('docs/adr/README.md argues for every runtime dependency', () => {
    const { dependencies } = JSON.parse(read('package.json')) as { dependencies: Record<string, string> };
    const argued = [...read('docs/adr/README.md').matchAll(/^\| `([^`]+)` +\|/gm)].map((match) => match[1]);
    expect([...new Set(argued)].toSorted((a = '', b = '') => (a < b ? -1 : 1))).toEqual(
      Object.keys(dependencies).toSorted(),
    );
  });
});

/** Anchors of headings, as GitHub makes them. */
function anchorsOf(text: string): readonly string[] {
  return [...text.matchAll(/^#+\s+(.+)$/gm)].map((match) =>
    (match[1] ?? '')
      .toLowerCase()
      .replace(/[^\w\s-]/g, '')
      .replace(/\s/g, '-'),
  );
}

/** Its blocks are run one after the other, as they stand. */
const WALKED = 'docs/QUICKSTART.md';

describe('commands', () => {
  const pagesWithCommands = ['README.md', ...filesBelow('docs', '.md')].filter((page) => page !== WALKED);
  const commands = pagesWithCommands.flatMap((page) =>
    [...read(page).matchAll(/```sh\n([\s\S]*?)```/g)].flatMap((block) =>
      (block[1] ?? '').split('\n').filter((line) => line !== '' && !line.startsWith('#')),
    ),
  );

  test('the README has some', () => {
    expect(commands).toContain('npm ci');
  });

  test.each(commands)('%s is run by .ci/run', (command) => {
    // Inside double quotes of the script, quotes stand behind a backslash.
    expect(read('.ci/run').replaceAll('\\"', '"')).toContain(ranAs[command] ?? command);
  });

  test('the guide is walked by .ci/run, and every block of it is of a kind that the walk knows', () => {
    expect(read('.ci/run')).toContain('node scripts/stranger.js');
    const kinds = [...read(WALKED).matchAll(/^```(\S.*)$/gm)].map((match) => match[1] ?? '');
    expect(kinds.length).toBeGreaterThan(8);
    expect(kinds.filter((kind) => !/^(sh|sh leave-running|sql|(yaml|ts|js) [\w.]+)$/.test(kind))).toEqual([]);
  });

  test('every verb that a page names exists', () => {
    const names = new Set(verbs.map((verb) => verb.name));
    const named = pages.flatMap((page) =>
      [...read(page).matchAll(/\bnpx freshet ([a-z]+)|`freshet ([a-z]+)/g)].map((match) => match[1] ?? match[2] ?? ''),
    );
    expect(named.filter((name) => !names.has(name))).toEqual([]);
  });
});

test('every example of docs/QUERIES.md is a valid config', () => {
  const source = 'sources: [{ name: a, kind: webhook, signature: { scheme: standard-webhooks, secret: whsec_x } }]';
  const examples = [...read('docs/QUERIES.md').matchAll(/```yaml\n([\s\S]*?)```/g)].map((match) => match[1] ?? '');
  expect(examples).toHaveLength(2);
  for (const example of examples) expect(() => parseConfig(`${source}\n${example}`, {}, 'freshet.yaml')).not.toThrow();
});

test('every example of docs/GENERATION.md is a valid config', () => {
  const source = 'sources: [{ name: a, kind: webhook, signature: { scheme: standard-webhooks, secret: whsec_x } }]';
  const examples = [...read('docs/GENERATION.md').matchAll(/```yaml\n([\s\S]*?)```/g)].map((match) => match[1] ?? '');
  expect(examples.length).toBeGreaterThan(2);
  for (const example of examples) {
    const config = parseConfig(`${source}\n${example}`, { VLLM_KEY: 'a-key' }, 'freshet.yaml');
    expect(config.generator.kind).not.toBe('extractive');
  }
});

test('docs/ARCHITECTURE.md names every folder of the code', () => {
  const text = read('docs/ARCHITECTURE.md');
  const folders = new Set(readSourceFiles().map((file) => dirname(file.path).split('/')[0]));
  expect([...folders].filter((folder) => !text.includes(`\`${folder}/\``))).toEqual([]);
});
