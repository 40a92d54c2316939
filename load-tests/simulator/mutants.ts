import { one, type Mutant } from './mutant.ts';
import { STORE_MUTANTS } from './store-mutants.ts';

const COMMIT = 'await commits.after(claims, done);';
const PARK = 'await deadLetters.write(rejections(batch, endings), signal);';
const ASK = 'await deferred.append(asked, [], signal);';
const WRITE = 'await writeAll(plan(changes, options), results, signal);';
const AFTER_CLAIMS = 'Promise.all([former, claimed])';

/** Bugs of the loop: what is committed when, and what happens to records that fail. */
const LOOP: readonly Mutant[] = [
  one(
    'offsets are committed before the sink',
    'I12',
    'pipeline/worker.ts',
    'const endings = await bisect(',
    'await reader.commit(nextOffsets(batch, []), signal); const endings = await bisect(',
  ),
  {
    name: 'offsets are committed before the dead letters',
    breaks: 'I12',
    edits: [
      { file: 'pipeline/worker.ts', find: PARK, replace: '' },
      { file: 'pipeline/worker.ts', find: COMMIT, replace: `${COMMIT} ${PARK}` },
    ],
  },
  one('dead letters are not written', 'I9', 'pipeline/worker.ts', PARK, ''),
  one(
    'offsets are committed before what the batch claims',
    'I11',
    'pipeline/commits.ts',
    AFTER_CLAIMS,
    '(claimed.catch(() => undefined), Promise.all([former]))',
  ),
  one(
    'offset after the next record',
    'I1',
    'pipeline/offset-tracker.ts',
    'const after = (offset + 1n)',
    'const after = (offset + 2n)',
  ),
  one(
    'only the last partition is committed',
    'I12',
    'pipeline/offset-tracker.ts',
    'return [...next.values()];',
    'return [...next.values()].slice(-1);',
  ),
  one('a blocked record is committed', 'I1', 'pipeline/offset-tracker.ts', 'if (held.has(place)) continue;', ''),
  one(
    'a verdict of reject is swallowed',
    'I9',
    'pipeline/flow.ts',
    "endings.set(origin, { kind: 'rejected', stage, error: verdict.error });",
    '',
  ),
  one(
    'bisect drops a record after its first failure alone',
    'I1',
    'pipeline/bisect.ts',
    'await lastTry(record, error, process, options, signal)',
    "{ kind: 'indexed' }",
  ),
  one(
    'an outage of the whole batch drops it',
    'I1',
    'pipeline/bisect.ts',
    'if (endings) return endings;',
    "return endings ?? records.map(() => ({ kind: 'indexed' }));",
  ),
  one(
    'records overtake the blocked one before them',
    'I9',
    'pipeline/bisect.ts',
    'place < index || !blocked ||',
    'place !== index ||',
  ),
  one(
    'a marker overtakes a record that is in doubt',
    'I11',
    'pipeline/bisect.ts',
    'return this.#doubted.has(place) && (isMarker(record) ||',
    'return this.#doubted.has(place) && (',
  ),
  one(
    'a change overtakes the one before it that is in doubt',
    'I4',
    'pipeline/bisect.ts',
    'this.#doubtedKeys.has(`${place} ${record.key}`)',
    'false',
  ),
];

/** Bugs of decoding and deduplication. */
const PREPARE: readonly Mutant[] = [
  one(
    'dedupe by position only',
    'I1',
    'pipeline/stages/dedupe.ts',
    'if (version === change.version)',
    'if ([...versions.values()].includes(change.version))',
  ),
  one(
    'dedupe remembers before the append is durable',
    'I1',
    'pipeline/stages/dedupe.ts',
    'versions.set(change.id, change.version);',
    'versions.set(change.id, change.version); newest.set(change.id, change.version);',
  ),
  one(
    'a global high-water mark drops lower positions',
    'I1',
    'pipeline/stages/dedupe.ts',
    'if (version !== undefined && version > change.version)',
    'if ([...versions.values()].some((seen) => seen > change.version))',
  ),
  one(
    'dedupe compares positions without their epochs',
    'I1',
    'pipeline/stages/dedupe.ts',
    'if (version !== undefined && version > change.version)',
    'if (version !== undefined && BigInt.asUintN(55, version) > BigInt.asUintN(55, change.version))',
  ),
  one('versions without the epoch', 'I3', 'schemas/envelope.ts', 'sourceVersion(source.epoch,', 'sourceVersion(1,'),
  one(
    'versions through a double',
    'I3',
    'schemas/version.ts',
    'const value = BigInt(text);',
    'const value = BigInt(Number(text));',
  ),
  one(
    'the placeholder of an unchanged column is passed on',
    'I5',
    'pipeline/mapping/project-row.ts',
    'return value === UNAVAILABLE || (Array.isArray(value) && value.includes(UNAVAILABLE));',
    'return false;',
  ),
  one(
    'a replayed change is decoded again',
    'I9',
    'pipeline/stages/decode-change.ts',
    'if (earlier.reaches(id, version))',
    'if (false)',
  ),
  {
    name: 'an unchanged column is taken from any version',
    breaks: 'I4',
    edits: [
      {
        file: 'pipeline/stages/decode-change.ts',
        find: 'if (earlier.reaches(id, version))',
        replace: 'if (false)',
      },
      { file: 'pipeline/mapping/earlier-versions.ts', find: '|| last.version >= version', replace: '' },
      {
        file: 'pipeline/stages/dedupe.ts',
        find: 'if (version === change.version)',
        replace: 'if (false)',
      },
    ],
  },
  one(
    'a batch does not remember its own changes',
    'I4',
    'pipeline/stages/decode-change.ts',
    'earlier.remember(change);',
    ';',
  ),
  one(
    'a rename carries nothing',
    'I1',
    'pipeline/mapping/earlier-versions.ts',
    'return document instanceof Error ? undefined :',
    'return true ? undefined :',
  ),
  one(
    'a rename does not wait for its first half',
    'I9',
    'pipeline/stages/decode-change.ts',
    'throw new Blocked(index);',
    '',
  ),
];

/** Bugs between `freshet.documents` and the index. */
const INDEX: readonly Mutant[] = [
  one(
    'a touch without comparing content',
    'I4',
    'pipeline/stages/compare-content.ts',
    '|| stored.contentHash !== hash',
    '',
  ),
  one(
    'the content hash leaves the ACL out',
    'I10',
    'pipeline/content-hash.ts',
    'const acl = document.acl && [...document.acl].sort();',
    'const acl = null;',
  ),
  one(
    'the content hash leaves metadata out',
    'I1',
    'pipeline/content-hash.ts',
    'Object.entries(document.metadata)',
    'Object.entries({})',
  ),
  one(
    'a touched document does not ask for its vectors',
    'I1',
    'pipeline/stages/compare-content.ts',
    'missesVectors, partition, });',
    'missesVectors: false, partition, });',
  ),
  one(
    'vectors are not asked for again after a crash',
    'I1',
    'pipeline/stages/compare-content.ts',
    'return missesVectors',
    'return false',
  ),
  one(
    'positions are advanced before documents',
    'I11',
    'pipeline/sinks/index-documents.ts',
    WRITE,
    `const early = readablePositions(changes, results); if (early.length > 0) await claim(early, signal); ${WRITE}`,
  ),
  one(
    'a replacement is torn into a removal and an insertion',
    'I4',
    'pipeline/sinks/index-documents.ts',
    "if (change.kind === 'chunked')\n documents.push(",
    "if (change.kind === 'chunked') documents.push({ index, write: { ...change.document, kind: 'remove', version: change.document.version - 1n } }, ",
  ),
  one(
    'a refused write is taken for done',
    'I9',
    'pipeline/sinks/index-documents.ts',
    "if (outcome?.kind === 'refused')",
    'if (false)',
  ),
  one(
    'a failing store is taken for done',
    'I1',
    'pipeline/sinks/index-documents.ts',
    'planned.map(({ write }) => write), signal)',
    'planned.map(({ write }) => write), signal).catch(() => [])',
  ),
  {
    name: 'vectors are asked for before the document is stored',
    breaks: 'I1',
    edits: [
      { file: 'pipeline/sinks/index-documents.ts', find: ASK, replace: '' },
      {
        file: 'pipeline/sinks/index-documents.ts',
        find: 'const results = new Map();',
        replace: `const results = new Map();
          const asked = changes.flatMap((change) => (missesVectors(change) ? [deferredDocument(change)] : []));
          ${ASK}`,
      },
      {
        file: 'pipeline/sinks/index-documents.ts',
        find: 'const asked = changes.flatMap((change, index)',
        replace: 'const unused = changes.flatMap((change, index)',
      },
    ],
  },
  one(
    'a watermark goes to the wrong level',
    'I11',
    'pipeline/stages/compare-content.ts',
    "level: 'searchable'",
    "level: 'complete'",
  ),
  one(
    'complete is claimed with searchable',
    'I11',
    'pipeline/sinks/index-documents.ts',
    'const levels = behind',
    'const levels = false',
  ),
  one(
    'that no vector is waiting is not asked anew',
    'I11',
    'pipeline/sinks/deferred-vectors.ts',
    'if (behind && clock',
    'if (clock',
  ),
  one(
    'complete is claimed before the vectors ahead of it',
    'I11',
    'pipeline/sinks/deferred-vectors.ts',
    'records.push({',
    'records.unshift({',
  ),
  one('known vectors are computed again', 'I7', 'pipeline/embedding.ts', 'return found;', 'return new Map();'),
];

/** Every planted bug. */
export const MUTANTS: readonly Mutant[] = [...LOOP, ...PREPARE, ...INDEX, ...STORE_MUTANTS];

/** @throws RangeError when there is no such mutant. */
export function mutantNamed(name: string): Mutant {
  const mutant = MUTANTS.find((one) => one.name === name);
  if (!mutant) throw new RangeError(`there is no mutant "${name}"`);
  return mutant;
}
