import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createPiiPolicy } from './policy.ts';
import { redact } from './redact.ts';

const policies = [
  createPiiPolicy({ mode: 'mask' }),
  createPiiPolicy({ mode: 'pseudonym', secret: 'a secret' }),
  createPiiPolicy({ mode: 'mask', entities: ['US_SSN', 'CREDIT_CARD', 'PHONE_NUMBER', 'US_BANK_NUMBER', 'DE_PLZ'] }),
];
const filter = (text: string, policy = policies[0]!) => redact({ name: 'body', text }, policy, 'acme', new Map());

/** Values, words that speak of them, separators and noise, so that context, neighbours and labels meet in every way. */
const piece = fc.oneof(
  fc.constantFrom('ann@mail.org', '4111 1111 1111 1111', '078-05-1123', '078051123', '130692544', '943 476 5919'),
  fc.constantFrom('GB29 NWBK 6016 1331 9268 19', '+1 212 555 0100', '83.112.40.201', '1EG4TE5MK73', '12345678Z'),
  fc.constantFrom('SSN', 'phone:', 'NHS', 'my SIN is', 'account number', 'postcode', 'passport', 'born', 'password='),
  fc.constantFrom(' ', ' ', '-', '.', '/', ',', ':', '@', '\n', '(', ')', '+', '%40', '\u200b', '٤', '号'),
  fc.constantFrom('[EMAIL]', '[US_SSN]', '[US_SSN:0123456789ab]', '[', ']', '://'),
  fc.stringMatching(/^[0-9]{1,14}$/),
  fc.stringMatching(/^[A-Z0-9]{1,12}$/),
  fc.string({ maxLength: 6 }),
);
const text = fc.array(piece, { maxLength: 24 }).map((pieces) => pieces.join(''));

describe('redact', () => {
  it('filtering what is filtered changes nothing', () => {
    fc.assert(
      fc.property(text, fc.constantFrom(...policies), (before, policy) => {
        const once = filter(before, policy);
        expect(filter(once, policy)).toBe(once);
      }),
      { numRuns: 2_000 },
    );
  });

  it('the result does not depend on what was filtered before', () => {
    fc.assert(
      fc.property(text, text, (first, second) => {
        const fresh = filter(second);
        filter(first);
        expect(filter(second)).toBe(fresh);
      }),
      { numRuns: 500 },
    );
  });

  it('no unmistakable value survives, whatever stands around it', () => {
    fc.assert(
      fc.property(text, text, (before, after) => {
        expect(filter(`${before} zoe@site.net ${after}`)).not.toContain('zoe@site.net');
        expect(filter(`${before}\n5555555555554444\n${after}`)).not.toContain('5555555555554444');
      }),
      { numRuns: 500 },
    );
  });
});
