import { describe, expect, it } from 'vitest';
import type { SourceVersion } from '../../../schemas/version.ts';
import { aRemove, aReplace, aTouch, aVector, anId, DIMENSIONS } from '../document-fixtures.ts';
import { decideWrites, type FoundDocument } from './decide-writes.ts';
import { documentBody } from './document-body.ts';

const context = (floor = 0n) => ({ floor: floor as SourceVersion, dimensions: DIMENSIONS, now: 7 });
const stored = (version: bigint, fields: Partial<FoundDocument> = {}): FoundDocument => ({
  version: version as SourceVersion,
  deleted: false,
  contentHash: aReplace().contentHash,
  tenant: 'acme',
  ...fields,
});
const id = anId('1');

describe('a decision', () => {
  it('comes to one change, whatever the number of writes', () => {
    const writes = [aReplace({ version: 3n }), aReplace({ version: 2n }), aRemove(id, 4n), aReplace({ version: 5n })];
    const { outcomes, change } = decideWrites(id, stored(1n), writes, context());
    expect(outcomes).toEqual([
      { kind: 'applied' },
      { kind: 'stale', version: 3n },
      { kind: 'applied' },
      { kind: 'applied' },
    ]);
    expect(change).toMatchObject({ kind: 'put', body: { version: '5', deleted: false } });
  });

  it('to touch sends no passage', () => {
    const { change } = decideWrites(id, stored(1n), [aTouch(aReplace(), 2n)], context());
    expect(change).toEqual({
      kind: 'touch',
      fields: { version: '2', position: '0/9', committedAt: 9_000, indexedAt: 7 },
    });
  });

  it('to touch what the same call has replaced is part of the replacement', () => {
    const { change } = decideWrites(id, undefined, [aReplace({ version: 1n }), aTouch(aReplace(), 2n)], context());
    expect(change).toMatchObject({ kind: 'put', body: { version: '2', position: '0/9', passageCount: 1 } });
  });

  it('to attach leaves the other vectors and the counts right', () => {
    const half = aReplace({ passages: ['a', 'b'], vectors: [aVector(0), undefined] });
    const found = stored(1n, { whole: documentBody(half, 1) });
    const vectors = [{ ordinal: 1, vectorKey: 'key b', vector: aVector(2) }];
    const attach = { kind: 'attach-vectors', id, version: 1n as SourceVersion, vectors } as const;
    const { outcomes, change } = decideWrites(id, found, [attach, attach], context());
    expect(outcomes).toEqual([{ kind: 'applied' }, { kind: 'stale', version: 1n }]);
    expect(change).toMatchObject({
      kind: 'put',
      body: { vectorCount: 2, passages: [{ hasVector: true }, { hasVector: true }] },
    });
  });

  it('erases what a writer left below a floor, and takes nothing below it', () => {
    const { outcomes, change } = decideWrites(id, stored(3n), [aReplace({ version: 4n })], context(5n));
    expect(outcomes).toEqual([{ kind: 'stale', version: 5n }]);
    expect(change).toMatchObject({ kind: 'put', body: { version: '3', deleted: true, passages: [], rest: '' } });
  });

  it('changes nothing where nothing is newer', () => {
    const { change } = decideWrites(id, stored(9n), [aReplace({ version: 9n }), aRemove(id, 8n)], context());
    expect(change).toEqual({ kind: 'none' });
  });
});
