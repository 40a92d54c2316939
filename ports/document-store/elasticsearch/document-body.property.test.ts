import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { passageId, type DocumentId } from '../../../schemas/ids.ts';
import type { Passage } from '../../../schemas/document.ts';
import { aReplace, anId } from '../document-fixtures.ts';
import {
  decodeVector,
  documentBody,
  encodeVector,
  storedDocument,
  storedId,
  type DocumentBody,
} from './document-body.ts';

const overTheWire = (body: DocumentBody): DocumentBody => JSON.parse(JSON.stringify(body)) as DocumentBody;

/** Passages cut out of a text, overlapping or with gaps, in order. */
const cuts = fc
  .record({
    text: fc.string({ unit: 'binary', maxLength: 60 }),
    spans: fc.array(fc.tuple(fc.nat(60), fc.nat(20)), { maxLength: 5 }),
  })
  .map(({ text, spans }) => {
    const passages = spans
      .map(([from, length]) => [Math.min(from, text.length), Math.min(from + length, text.length)] as const)
      .toSorted((a, b) => a[0] - b[0])
      .map(([start, end], ordinal): Passage => {
        const id = passageId(anId('1'), ordinal);
        return { id, ordinal, start, end, text: text.slice(start, end), headings: [], tokens: 1, vectorKey: 'k' };
      });
    return { text, passages };
  });

describe('the body of a document', () => {
  it('gives the text and its passages back, however they are cut', () => {
    fc.assert(
      fc.property(cuts, ({ text, passages }) => {
        const write = { ...aReplace(), text, passages, vectors: [] };
        const stored = storedDocument(overTheWire(documentBody(write, 1)), false);
        expect(stored.text).toBe(text);
        expect(stored.passages).toEqual(passages.map((each) => ({ ...each, hasVector: false, vector: undefined })));
      }),
    );
  });

  it('keeps a text whole that its passages are not cut out of', () => {
    const write = { ...aReplace({ passages: ['one'] }), text: 'another text' };
    expect(storedDocument(overTheWire(documentBody(write, 1)), false).text).toBe('another text');
  });

  it('keeps metadata of any name and number', () => {
    const metadata = JSON.parse(
      '{"__proto__":"x","constructor":"y","a.b":"z","":"e","n":1e-7,"big":9007199254740993}',
    ) as {
      [name: string]: string;
    };
    expect(storedDocument(overTheWire(documentBody(aReplace({ metadata }), 1)), false).metadata).toEqual(metadata);
  });

  it('gives every float of a vector back', () => {
    fc.assert(
      fc.property(fc.float32Array({ noNaN: true }), (vector) => {
        expect(decodeVector(encodeVector(vector))).toEqual(vector);
      }),
    );
  });

  it('has an id that Elasticsearch takes, another one for every document', () => {
    const long = (end: string) => `s/t/${'k'.repeat(600)}${end}` as DocumentId;
    expect(storedId(anId('1'))).toBe(anId('1'));
    expect(storedId(long('a')).length).toBeLessThan(512);
    expect(storedId(long('a'))).not.toBe(storedId(long('b')));
  });
});
