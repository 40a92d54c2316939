import { describe, expect, it } from 'vitest';
import { ENTITIES, type Entity } from './entities.ts';
import { createPiiPolicy } from './policy.ts';
import { RECOGNISERS } from './recognisers/all.ts';
import { findPii, redact } from './redact.ts';

const policy = createPiiPolicy({ mode: 'mask' });
const masked = (text: string, name = 'body') => redact({ name, text }, policy, 'acme', new Map());

describe('the default policy', () => {
  it.each([
    ['Write to ann.lee+news@mail.co.uk.', 'Write to [EMAIL].'],
    ["o'brien@mail.org, jörg@müller.de", '[EMAIL], [EMAIL]'],
    ['IBAN:DE89 3704 0044 0532 0130 00.', 'IBAN:[IBAN].'],
    ['Call (212) 555-0100 x12 or +442079460958', 'Call [PHONE] x12 or [PHONE]'],
    ['+49 (0)30 901820, 020 7946 0958', '[PHONE], [PHONE]'],
    ['my social is 078051123', 'my social is [US_SSN]'],
    ['Patient, NHS number: 943 476 5919', 'Patient, NHS number: [UK_NHS]'],
    ['login from 83.112.40.201:443', 'login from [IP]:443'],
    ['0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed', '[CRYPTO]'],
    ['bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq', '[CRYPTO]'],
    ['DOB: 5/12/1980', 'DOB: [DATE_OF_BIRTH]'],
    ['She was born on July 4, 1985 in Ohio', 'She was born on [DATE_OF_BIRTH] in Ohio'],
    ['CPF 529.982.247-25', 'CPF [BR_CPF]'],
    ['身份证号码11010519491231002X', '身份证号码[CN_RESIDENT_ID]'],
  ])('redacts %j', (text, expected) => {
    expect(masked(text)).toBe(expected);
  });

  it.each([
    ['export AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY', 'export AWS_SECRET_ACCESS_KEY=[SECRET]'],
    ['key AKIAIOSFODNN7EXAMPLE.', 'key [SECRET].'],
    ['{"api_key": "h7Gk2pQ9xZ"}', '{"api_key": "[SECRET]"}'],
    ['Authorization: Bearer 0f8e7d6c5b4a39281706f5e4d3c2b1a0', 'Authorization: Bearer [SECRET]'],
    ['postgres://admin:s3cr3tPw@db.internal/x', 'postgres://[URL_CREDENTIALS]@db.internal/x'],
    ['ghp_16C7e42F292c6912E7710c838347Ae178B4a', '[SECRET]'],
    ['a\n-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nabc=\n-----END RSA PRIVATE KEY-----\nb', 'a\n[SECRET]\nb'],
    ['-----BEGIN PRIVATE KEY-----\nMIIEow cut off', '[SECRET]'],
  ])('redacts the secret in %j', (text, expected) => {
    expect(masked(text)).toBe(expected);
  });

  it.each([
    '# [1.13.0](https://github.com/taskforcesh/bullmq/compare/v1.12.3...v1.13.0) (2021-01-06)',
    '17e8431af8bba58612bf9913c63ab5d38afecbb9 550e8400-e29b-41d4-a716-446655440000',
    'LSN 0/16B3748, 1700000000, 1700000000000, 1700000000000000, 2024-03-15T14:30:00.123Z',
    '@types/node@20.19.43 lodash@4.17.21 @Injectable() git@github.com:a/b.git icon@2x.png getty@tty1.service',
    '127.0.0.1:8080, 0.0.0.0, 10.0.0.0/8, 192.168.1.1, 192.0.2.7, ::1, fe80::1, std::vector, v1.2.3.4, 10.0.19045.2006',
    'postgres://user:password@localhost/db redis://user:${PASSWORD}@host cocoindex:cocoindex@x',
    'password: process.env.PASSWORD1, api_key: "<your-key-1>", token = getToken(1), secret: xxxxxxxx1',
    'lat 52.520008, 13.404954; 1,234,567,890.00; issue #123456789; port 5432; isbn 978-3-16-148410-0',
    'chrome/120.0.6099.109 takes 0.123456789 s; user 123456789; +1000000000; 12:34:56; 218-234 (1945)',
    'Christopher Nolan (born 30 July 1970) is a film director.',
  ])('leaves documentation alone: %j', (text) => {
    expect(masked(text)).toBe(text);
  });

  it('finds what is disguised, and replaces exactly the disguised characters', () => {
    expect(masked('a ４１１１ １１１１ １１１１ １１１１ b')).toBe('a [CREDIT_CARD] b');
    expect(masked('a 4111\u200b1111\u200b1111\u200b1111 b')).toBe('a [CREDIT_CARD] b');
    expect(masked('a 4111\u20111111\u20111111\u20111111 b')).toBe('a [CREDIT_CARD] b');
    expect(masked('a ٤١١١ ١١١١ ١١١١ ١١١١ b')).toBe('a [CREDIT_CARD] b');
    expect(masked('https://x.org/u?email=ann%40mail.org&x=1')).toBe('https://x.org/u?email=[EMAIL]&x=1');
    expect(masked('<a href="mailto:ann&#64;mail.org">')).toBe('<a href="mailto:[EMAIL]">');
  });

  it('finds values in JSON keys and file names', () => {
    expect(masked('{"ann@mail.org": {"ssn": "078051123"}}')).toBe('{"[EMAIL]": {"ssn": "[US_SSN]"}}');
    expect(masked('/scans/invoice_078-05-1123.pdf')).toBe('/scans/invoice_[US_SSN].pdf');
  });

  it('the name of a column says what a short field holds', () => {
    expect(masked('078051123', 'customerSsn')).toBe('[US_SSN]');
    expect(masked('5551234', 'phone')).toBe('[PHONE]');
    expect(masked('5551234', 'quantity')).toBe('5551234');
  });

  it('takes a number with right check digits only where it stands alone or beside a word; a column of numbers stays', () => {
    const number = '130692544'; // a Canadian SIN by its check digit
    expect(masked(`order ${number}`)).toBe(`order ${number}`);
    expect(masked(`my SIN is ${number}`)).toBe('my SIN is [CA_SIN]');
    expect(redact({ name: 'order', text: number, isMetadata: true }, policy, 'acme', new Map())).toBe(number);
  });

  it('hides all that overlapping matches cover, under the name of the best', () => {
    expect(
      findPii({ name: '', text: 'IP 83.112.40.201.7 x' }, createPiiPolicy({ mode: 'mask', entities: ['IP_ADDRESS'] })),
    ).toEqual([expect.objectContaining({ start: 3, end: 18, entity: 'IP_ADDRESS' })]);
  });
});

describe('the table of recognisers', () => {
  it('has one recogniser for every entity, and one entity for every recogniser', () => {
    const recognised = new Set<Entity>(RECOGNISERS.map(({ entity }) => entity));
    expect([...recognised].toSorted()).toEqual([...ENTITIES].toSorted());
  });
});
