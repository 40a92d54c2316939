import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { InvalidConfig } from '../../runtime/errors.ts';
import { ENTITIES } from './entities.ts';
import { createPiiPolicy } from './policy.ts';

describe('createPiiPolicy', () => {
  it('refuses an entity that does not exist and lists those that do', () => {
    expect(() => createPiiPolicy({ mode: 'mask', entities: ['EMAIL_ADDRESS', 'SHOE_SIZE'] })).toThrow(InvalidConfig);
    expect(() => createPiiPolicy({ mode: 'mask', entities: ['SHOE_SIZE'] })).toThrow(
      /there is no SHOE_SIZE; expected some of SECRET, .*EMAIL_ADDRESS/,
    );
  });

  it('refuses pseudonyms without a secret', () => {
    expect(() => createPiiPolicy({ mode: 'pseudonym' })).toThrow(/pipeline\.pii\.secret/);
  });

  it('looks by default for everything but dates, URLs and national forms of telephone numbers', () => {
    const { entities } = createPiiPolicy({ mode: 'mask' });
    expect(entities).toContain('US_SSN');
    for (const optIn of ['DATE_TIME', 'URL', 'TR_PHONE_NUMBER']) expect(entities).not.toContain(optIn);
  });

  it('the fingerprint changes with mode, entities and secret, and with nothing else', () => {
    const fingerprints = [
      createPiiPolicy({ mode: 'off' }),
      createPiiPolicy({ mode: 'mask' }),
      createPiiPolicy({ mode: 'mask', entities: ['US_SSN'] }),
      createPiiPolicy({ mode: 'mask', entities: ['US_SSN', 'UK_NHS'] }),
      createPiiPolicy({ mode: 'pseudonym', secret: 'a' }),
      createPiiPolicy({ mode: 'pseudonym', secret: 'b' }),
    ].map(({ fingerprint }) => fingerprint);
    expect(new Set(fingerprints).size).toBe(fingerprints.length);
    expect(createPiiPolicy({ mode: 'mask', entities: ['UK_NHS', 'US_SSN'] }).fingerprint).toBe(fingerprints[3]);
    expect(createPiiPolicy({ mode: 'mask' }).fingerprint).toBe(fingerprints[1]);
  });
});

describe('docs/PII.md', () => {
  it('names every entity there is', () => {
    const manual = readFileSync('docs/PII.md', 'utf8');
    expect(ENTITIES.filter((entity) => !manual.includes(`\`${entity}\``))).toEqual([]);
  });
});
