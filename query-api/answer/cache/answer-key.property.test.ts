import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Hit } from '../../../ports/document-store/document-store.ts';
import { documentId, passageId } from '../../../schemas/ids.ts';
import { sourceVersion } from '../../../schemas/version.ts';
import { answerKey, normaliseQuestion, type AnswerBasis } from './answer-key.ts';

const text = fc.string({ unit: 'binary', maxLength: 12 });

const hit: fc.Arbitrary<Hit> = fc
  .record({ key: text, version: fc.nat(3), title: text, headings: fc.array(text, { maxLength: 2 }), text })
  .map(({ key, version, title, headings, text }) => {
    const id = documentId({ source: 'help', table: 'public.articles', key: [key] });
    return {
      documentId: id,
      version: sourceVersion(0, BigInt(version)),
      source: { name: 'help', table: 'public.articles', key },
      title,
      metadata: {},
      committedAt: 0,
      indexedAt: 0,
      passage: { id: passageId(id, 0), ordinal: 0, start: 0, end: 1, text, headings, tokens: 1, vectorKey: 'x' },
      hasVector: true,
      score: 1,
    };
  });

const basis: fc.Arbitrary<AnswerBasis> = fc.record({
  question: text,
  principal: fc.record({ tenant: text, groups: fc.array(text, { maxLength: 3 }) }),
  hits: fc.array(hit, { maxLength: 3 }),
  model: text,
  prompt: fc.option(text, { nil: undefined }),
  settings: text,
});

/** What an answer depends on, in a form of its own. */
const meaning = ({ question, principal, hits, model, prompt, settings }: AnswerBasis) => ({
  question: normaliseQuestion(question),
  tenant: principal.tenant,
  groups: [...new Set(principal.groups)].sort(),
  hits: hits.map(({ documentId: id, version, title, passage }) => [id, version, title, passage.headings, passage.text]),
  model,
  prompt,
  settings,
});

test('two questions have the same key iff everything is the same that their answers depend on', () => {
  fc.assert(
    fc.property(basis, basis, (one, other) => {
      const parts = Object.keys(one) as (keyof AnswerBasis)[];
      // Alike but for one part, so that a part which the key leaves out is found.
      for (const part of parts) {
        const mixed = { ...one, [part]: other[part] } as AnswerBasis;
        const isSame = expect.objectContaining(meaning(one)).asymmetricMatch(meaning(mixed));
        expect(answerKey(mixed) === answerKey(one), part).toBe(isSame);
      }
    }),
  );
});

test('the tenant, each group, each version and the order of the passages count', () => {
  fc.assert(
    fc.property(basis, hit, hit, ({ ...one }, first, second) => {
      const key = answerKey(one);
      const { principal } = one;
      expect(answerKey({ ...one, principal: { ...principal, tenant: `${principal.tenant}x` } })).not.toBe(key);
      const groups = [...principal.groups, 'one more group'];
      expect(answerKey({ ...one, principal: { ...principal, groups } })).not.toBe(key);
      const newer = { ...first, version: sourceVersion(1, 0n) };
      expect(answerKey({ ...one, hits: [newer] })).not.toBe(answerKey({ ...one, hits: [first] }));
      const [forth, back] = [answerKey({ ...one, hits: [first, newer] }), answerKey({ ...one, hits: [newer, first] })];
      expect(forth).not.toBe(back);
      expect(answerKey({ ...one, hits: [first, second, second] })).not.toBe(
        answerKey({ ...one, hits: [first, second] }),
      );
    }),
  );
});

test('groups in another order, or named twice, white space and composition are the same question of the same caller', () => {
  const of = (question: string, groups: readonly string[]) =>
    answerKey({
      question,
      principal: { tenant: 'acme', groups },
      hits: [],
      model: 'm',
      prompt: undefined,
      settings: '',
    });
  expect(of(' Who  is\nAndr\u0065\u0301? ', ['b', 'a', 'b'])).toBe(of('Who is Andr\u00e9?', ['a', 'b']));
  expect(of('Who is Polish?', [])).not.toBe(of('Who is polish?', []));
});
