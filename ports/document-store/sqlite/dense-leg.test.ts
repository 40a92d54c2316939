import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../runtime/clock.ts';
import { StoreUnavailable } from '../../../runtime/errors.ts';
import type { SourceVersion } from '../../../schemas/version.ts';
import { Sqlite } from '../../sqlite.ts';
import { aRemove, aReplace, aScope, anId } from '../document-fixtures.ts';
import type { DocumentWrite, Hit } from '../document-store.ts';
import { openSqliteDocumentStore, type SqliteDocumentStore } from '../sqlite-document-store.ts';

const DIMENSIONS = 48;
/** So many hits that every passage is a candidate, and the result is exact. */
const ALL = 5_000;

const folder = mkdtempSync(join(tmpdir(), 'freshet-dense-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;
const aPath = (): string => join(folder, `${files++}.db`);
const open = (path: string): SqliteDocumentStore =>
  openSqliteDocumentStore({ path, dimensions: DIMENSIONS, clock: systemClock });
const connect = (path: string): Sqlite =>
  new Sqlite({ path, remedy: '', busy: (message) => new StoreUnavailable(message) });

/** A unit vector of its own for every seed. */
function vectorOf(seed: number): Float32Array {
  let state = (seed + 1) * 2_654_435_761;
  const vector = Float32Array.from({ length: DIMENSIONS }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 31 - 1;
  });
  const length = Math.hypot(...vector);
  return vector.map((value) => value / length);
}

function replace(key: number, version: number, seeds: readonly (number | undefined)[]): DocumentWrite {
  return aReplace({
    id: anId(String(key)),
    version: BigInt(version),
    passages: seeds.map((seed) => `passage ${seed}`),
    vectors: seeds.map((seed) => (seed === undefined ? undefined : vectorOf(seed))),
  });
}

async function dense(store: SqliteDocumentStore, vector: Float32Array, depth: number): Promise<readonly Hit[]> {
  return (await store.search({ scope: aScope(), dense: { vector, depth } })).dense;
}

async function texts(store: SqliteDocumentStore): Promise<string[]> {
  return (await dense(store, vectorOf(0), ALL)).map(({ passage }) => passage.text).toSorted();
}

describe('the dense leg', () => {
  it('finds among thousands the passage whose vector the query is', async () => {
    await using store = open(':memory:');
    await store.write(Array.from({ length: 1_000 }, (_, key) => replace(key, 1, [3 * key, 3 * key + 1, 3 * key + 2])));
    for (const seed of [0, 1, 700, 1_999, 2_999]) {
      const [first] = await dense(store, vectorOf(seed), 10);
      expect(first?.passage.text).toBe(`passage ${seed}`);
      expect(first?.score).toBeCloseTo(1, 5);
    }
  });

  it('sees what another process has written, changed, given vectors to and removed, as the file is', async () => {
    const step = fc.record({
      kind: fc.constantFrom('replace', 'replace', 'without', 'attach', 'remove', 'search'),
      key: fc.integer({ min: 0, max: 12 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        const path = aPath();
        await using writer = open(path);
        await using reader = open(path);
        const model = new Map<number, { version: number; seeds: readonly number[]; hasVectors: boolean }>();
        for (const [i, { kind, key }] of steps.entries()) {
          const version = i + 1;
          const seeds = Array.from({ length: 1 + (i % 3) }, (_, n) => 10 * version + n);
          const known = model.get(key);
          if (kind === 'replace' || kind === 'without') {
            await writer.write([replace(key, version, kind === 'replace' ? seeds : seeds.map(() => undefined))]);
            model.set(key, { version, seeds, hasVectors: kind === 'replace' });
          } else if (kind === 'remove') {
            await writer.write([aRemove(anId(String(key)), BigInt(version))]);
            model.delete(key);
          } else if (kind === 'attach' && known && !known.hasVectors) {
            const [stored] = await writer.read([anId(String(key))]);
            const vectors = (stored?.passages ?? []).map(({ ordinal, vectorKey }) => {
              return { ordinal, vectorKey, vector: vectorOf(known.seeds[ordinal] ?? 0) };
            });
            const attached = {
              kind: 'attach-vectors',
              id: anId(String(key)),
              version: BigInt(known.version) as SourceVersion,
            };
            await writer.write([{ ...attached, kind: 'attach-vectors', vectors }]);
            model.set(key, { ...known, hasVectors: true });
          }
          if (kind !== 'search' && i < steps.length - 1) continue;
          const alive = [...model.values()].filter(({ hasVectors }) => hasVectors);
          const found = await dense(reader, vectorOf(0), ALL);
          expect(found).toHaveLength(alive.reduce((sum, each) => sum + each.seeds.length, 0));
          expect(found.map(({ version: each }) => Number(each)).toSorted((a, b) => a - b)).toEqual(
            alive.flatMap((each) => each.seeds.map(() => each.version)).toSorted((a, b) => a - b),
          );
          expect(found.map(({ score }) => score)).toEqual(found.map(({ score }) => score).toSorted((a, b) => b - a));
        }
      }),
      { numRuns: 25 },
    );
  });

  it('reads everything again when it is further behind than the changes that are kept', async () => {
    const path = aPath();
    await using writer = open(path);
    await using reader = open(path);
    await writer.write([replace(1, 1, [1]), replace(2, 1, [2])]);
    expect(await texts(reader)).toEqual(['passage 1', 'passage 2']);
    await writer.write([replace(1, 2, [3]), aRemove(anId('2'), 2n)]);
    const db = connect(path);
    db.exec('DELETE FROM vector_changes WHERE sequence < (SELECT max(sequence) FROM vector_changes)');
    db.close();
    expect(await texts(reader)).toEqual(['passage 3']);
  });

  it('keeps no more changes than it has to', async () => {
    const path = aPath();
    await using store = open(path);
    const db = connect(path);
    db.exec('INSERT INTO vector_changes (sequence, document) VALUES (5, 1), (99327, 1)');
    await store.write([replace(1, 1, [1])]);
    const left = db.prepare<{ sequence: bigint }>('SELECT sequence FROM vector_changes ORDER BY sequence').all();
    db.close();
    expect(left.map(({ sequence }) => sequence)).toEqual([99_327n, 99_328n]);
  });

  it('takes an index of the format before, which names no changes', async () => {
    const path = aPath();
    {
      await using store = open(path);
      await store.write([replace(1, 1, [1])]);
    }
    const db = connect(path);
    db.exec('DROP TABLE vector_changes; PRAGMA user_version = 1');
    db.close();
    await using again = open(path);
    await again.write([replace(2, 1, [2])]);
    expect(await texts(again)).toEqual(['passage 1', 'passage 2']);
  });
});
