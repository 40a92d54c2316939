import { expect, test } from 'vitest';
import type { StoredDocument } from '../../../ports/document-store/document-store.ts';
import type { Citation } from '../../../schemas/answer.ts';
import { auditAnswer } from './audit-answer.ts';

const cited = (over: Partial<Citation> = {}): Citation => ({
  marker: 1,
  passageId: 'help/t/1#0',
  documentId: 'help/t/1',
  quote: 'thirty days',
  version: '1',
  committedAt: 0,
  ...over,
});
const stored = (over: object = {}): StoredDocument =>
  ({
    id: 'help/t/1',
    version: 1n,
    deleted: false,
    passages: [{ id: 'help/t/1#0', text: 'Within thirty days.' }],
    ...over,
  }) as unknown as StoredDocument;
const anew = { refused: false, citations: [cited({ quote: 'Within' })] };

test('tells by the documents as they are stored whether a kept answer still stands', () => {
  const audit = (kept: Citation, documents: readonly (StoredDocument | undefined)[], now = anew) =>
    auditAnswer([kept], now, documents);
  expect(audit(cited(), [stored()])).toBe('agrees');
  expect(audit(cited({ quote: 'ninety days' }), [stored()])).toBe('stale');
  expect(audit(cited(), [stored({ passages: [{ id: 'help/t/1#1', text: 'thirty days' }] })])).toBe('stale');
  expect(audit(cited(), [stored({ version: 2n })])).toBe('moved');
  expect(audit(cited(), [stored({ deleted: true })])).toBe('moved');
  expect(audit(cited(), [undefined])).toBe('moved');
  expect(audit(cited(), [stored()], { refused: true, citations: [] })).toBe('refused');
  expect(audit(cited(), [stored()], { refused: false, citations: [cited({ passageId: 'help/t/2#0' })] })).toBe(
    'differs',
  );
});

test('a stale citation counts whatever else has moved', () => {
  const kept = [cited({ documentId: 'help/t/9' }), cited({ quote: 'ninety days' })];
  expect(auditAnswer(kept, anew, [undefined, stored()])).toBe('stale');
});
