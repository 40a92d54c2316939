import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { demoDocuments, type DemoDocument } from '../../cli/demo/demo-documents.ts';
import { SHOP } from '../../cli/demo/shop-routes.ts';
import { root } from '../../test/support/source-files.ts';
import { ABSENT_WORDS } from './absent-words.ts';
import { GOLDEN_LANGUAGES, readGolden, type GoldenKind, type GoldenQuestion } from './read-golden.ts';

const nodeModules = join(root, 'node_modules');

/** Licences that let a sentence be quoted; all of them are permissive. */
const QUOTABLE = ['MIT', 'ISC', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', '0BSD', 'BlueOak-1.0.0'];

let questions: readonly GoldenQuestion[] = [];
const documents = new Map<string, DemoDocument>();
beforeAll(async () => {
  questions = await readGolden();
  for await (const document of demoDocuments(nodeModules)) documents.set(document.id, document);
});

const ofKind = (kind: GoldenKind) => questions.filter((each) => each.kind === kind);
/** Ids of the questions for which something does not hold. */
const idsOf = (failed: readonly GoldenQuestion[]) => failed.map(({ id }) => id);
const bodyOf = (id: string) => documents.get(id)?.body ?? '';

describe('the golden questions', () => {
  it('are at least 150, 30 of them without an answer and 20 that need two documents', () => {
    expect(questions.length).toBeGreaterThanOrEqual(150);
    expect(ofKind('unanswerable').length).toBeGreaterThanOrEqual(30);
    expect(ofKind('two-documents').length).toBeGreaterThanOrEqual(20);
  });

  it('have ids and wordings of their own', () => {
    expect(new Set(questions.map(({ id }) => id)).size).toBe(questions.length);
    expect(new Set(questions.map(({ question }) => question.toLowerCase())).size).toBe(questions.length);
  });

  it('are asked in every language', () => {
    expect(new Set(questions.map(({ language }) => language))).toEqual(new Set(GOLDEN_LANGUAGES));
  });

  it('name documents that the demo indexes', () => {
    const named = questions.flatMap((each) => each.documents);
    expect(named.filter((id) => !documents.has(id))).toEqual([]);
  });

  it('quote the documents letter for letter', () => {
    const isQuoted = ({ quotes, documents: ids }: GoldenQuestion) =>
      quotes.every((quote) => ids.some((id) => bodyOf(id).includes(quote)));
    expect(idsOf(questions.filter((each) => !isQuoted(each)))).toEqual([]);
  });

  it('have an answer, a document and a quote in each document, or none of them', () => {
    const isWhole = ({ kind, answer, quotes, documents: ids }: GoldenQuestion) =>
      kind === 'unanswerable'
        ? answer === '' && quotes.length === 0 && ids.length === 0
        : answer !== '' && ids.length > 0 && ids.every((id) => quotes.some((quote) => bodyOf(id).includes(quote)));
    expect(idsOf(questions.filter((each) => !isWhole(each)))).toEqual([]);
  });

  it('that need two documents cannot be answered from one', () => {
    const needsBoth = ({ quotes, documents: ids }: GoldenQuestion) =>
      new Set(ids).size === 2 && ids.every((id) => quotes.some((quote) => !bodyOf(id).includes(quote)));
    // Two documents that say the same of two subjects: the words agree, what they are about does not.
    const sameWords = ['two-documents-016'];
    const failed = idsOf(ofKind('two-documents').filter((each) => !needsBoth(each)));
    expect(failed).toEqual(sameWords);
  });

  it('without an answer ask for what the corpus does not say', () => {
    expect(Object.keys(ABSENT_WORDS)).toEqual(idsOf(ofKind('unanswerable')));
    const said = Object.entries(ABSENT_WORDS).flatMap(([id, { where, words }]) => {
      const searched = [...documents.values()].filter((each) => (each.package ?? SHOP.source) === where);
      expect(searched.length, `${where} is in the corpus`).toBeGreaterThan(0);
      return searched.filter(({ title, body }) => words.test(`${title}\n${body}`)).map((each) => `${id}: ${each.id}`);
    });
    expect(said).toEqual([]);
  });

  it('are not copied from the text', () => {
    const plain = (text: string) => text.toLowerCase().replaceAll(/[\s?]+/g, ' ');
    const isCopied = ({ question, documents: ids }: GoldenQuestion) =>
      ids.some((id) => plain(bodyOf(id)).includes(plain(question).trim()));
    expect(idsOf(questions.filter(isCopied))).toEqual([]);
  });

  it('rest on packages that every platform installs in one version, and whose licence lets them be quoted', async () => {
    const used = new Set(questions.flatMap((each) => each.documents.flatMap((id) => documents.get(id)?.package ?? [])));
    const lock = JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8')) as {
      readonly packages: Readonly<Record<string, LockedPackage>>;
    };
    for (const name of used) {
      const locked = lock.packages[`node_modules/${name}`];
      expect(locked, name).toBeDefined();
      expect(locked?.optional ?? false, `${name} is optional`).toBe(false);
      expect(QUOTABLE, name).toContain(locked?.license);
    }
  });
});

interface LockedPackage {
  readonly optional?: boolean;
  readonly license?: string;
}

describe('reading', () => {
  it.each([
    ['not JSON', '{"id": '],
    ['no object', 'null'],
    ['a kind that does not exist', JSON.stringify({ ...aQuestion(), kind: 'three-documents' })],
    ['a field that is missing', JSON.stringify({ ...aQuestion(), quotes: undefined })],
    ['a number for a text', JSON.stringify({ ...aQuestion(), documents: [1] })],
  ])('refuses %s and names the line', async (_what, line) => {
    await expect(readText(`${JSON.stringify(aQuestion())}\n${line}\n`)).rejects.toThrow(/golden\.jsonl:2 is not/);
  });

  it('keeps the order and passes over empty lines', async () => {
    const second = { ...aQuestion(), id: 'b' };
    const text = `${JSON.stringify(aQuestion())}\n\n${JSON.stringify(second)}\n`;
    expect(await readText(text)).toEqual([aQuestion(), second]);
  });
});

function aQuestion(): GoldenQuestion {
  return { id: 'a', question: 'q?', kind: 'single', documents: ['s/t/1'], quotes: ['q'], answer: 'a', language: 'en' };
}

async function readText(text: string): Promise<readonly GoldenQuestion[]> {
  const folder = await mkdtemp(join(tmpdir(), 'freshet-golden-'));
  try {
    await writeFile(join(folder, 'golden.jsonl'), text);
    return await readGolden(join(folder, 'golden.jsonl'));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
