import { describe, expect, it } from 'vitest';
import type { DocumentId } from '../../schemas/ids.ts';
import type { Document } from '../../schemas/document.ts';
import type { SourceVersion } from '../../schemas/version.ts';
import { PiiFilterFailed } from '../../runtime/errors.ts';
import { createPiiPolicy, type PiiPolicy } from '../pii/policy.ts';
import { filterPii } from './filter-pii.ts';

const policy = createPiiPolicy({ mode: 'mask' });

const aDocument = (over: Partial<Document> = {}): Document => ({
  kind: 'document',
  id: 'crm/public.people/ann%40mail.org' as DocumentId,
  version: 7n as SourceVersion,
  source: { name: 'crm', table: 'public.people', key: 'ann%40mail.org' },
  position: '0/16B3748',
  committedAt: 1_700_000_000_000,
  tenant: 'ann@mail.org',
  acl: ['ann@mail.org'],
  title: 'Call of ann@mail.org',
  parts: [
    { name: 'summary', text: 'Card 4111 1111 1111 1111 was refused.' },
    { name: 'body', text: 'Refund to GB29 NWBK 6016 1331 9268 19, please.' },
  ],
  bodyFormat: 'text',
  metadata: { owner: 'bob@mail.org', tags: ['vip', 'eve@mail.org'], age: 41, active: true, none: null },
  ...over,
});

describe('filterPii', () => {
  it('redacts title, parts and metadata, and leaves identity, tenant and ACL alone', () => {
    const before = aDocument();
    const { document, findings } = filterPii(before, policy);
    expect(document).toEqual({
      ...before,
      title: 'Call of [EMAIL]',
      parts: [
        { name: 'summary', text: 'Card [CREDIT_CARD] was refused.' },
        { name: 'body', text: 'Refund to [IBAN], please.' },
      ],
      metadata: { owner: '[EMAIL]', tags: ['vip', '[EMAIL]'], age: 41, active: true, none: null },
      piiPolicy: policy.fingerprint,
    });
    expect(Object.fromEntries(findings)).toEqual({ EMAIL_ADDRESS: 3, CREDIT_CARD: 1, IBAN_CODE: 1 });
  });

  it('passes the text through, and says so, when the mode is off', () => {
    const off = createPiiPolicy({ mode: 'off' });
    expect(filterPii(aDocument(), off)).toEqual({
      document: { ...aDocument(), piiPolicy: 'off' },
      findings: new Map(),
    });
  });

  it('fails closed: a recogniser that throws gives no document, and nothing of the text is in the error', () => {
    const scanner = {
      run() {
        throw new RangeError('cannot read ann@mail.org');
      },
    };
    const broken = { ...policy, scanner } as unknown as PiiPolicy;
    expect(() => filterPii(aDocument(), broken)).toThrow(PiiFilterFailed);
    expect(() => filterPii(aDocument(), broken)).toThrow(/^the PII filter failed with RangeError$/);
  });

  it('fails closed when a recogniser exceeds its budget', () => {
    const scanner = {
      run({ add }: { add: (start: number, end: number, entity: string, evidence: string) => void }) {
        for (let i = 0; i < 10_000; i++) add(0, 1, 'EMAIL_ADDRESS', 'unmistakable');
      },
    };
    expect(() => filterPii(aDocument(), { ...policy, scanner } as unknown as PiiPolicy)).toThrow(PiiFilterFailed);
  });

  it('gives one value one token per tenant, however it is written', () => {
    const pseudonyms = createPiiPolicy({ mode: 'pseudonym', secret: 'a secret' });
    const tokenOf = (text: string, tenant: string) =>
      filterPii(aDocument({ tenant, title: text, parts: [], metadata: {} }), pseudonyms).document.title;
    const token = tokenOf('ann@mail.org', 'acme');
    expect(token).toMatch(/^\[EMAIL:[0-9a-f]{12}\]$/);
    expect(tokenOf('ANN@mail.org', 'acme')).toBe(token);
    expect(tokenOf('ann@mail.org', 'other')).not.toBe(token);
    expect(tokenOf('bob@mail.org', 'acme')).not.toBe(token);
    expect(tokenOf('4111-1111-1111-1111', 'acme')).toBe(tokenOf('4111 1111 1111 1111', 'acme'));
  });
});
