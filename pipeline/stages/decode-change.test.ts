import { beforeEach, describe, expect, test } from 'vitest';
import { openSqliteLog } from '../../ports/log/sqlite-log.ts';
import type { LogRecord } from '../../ports/log/log.ts';
import { systemClock } from '../../runtime/clock.ts';
import type { TableConfig } from '../../runtime/config/config.ts';
import { MappingFailed } from '../../runtime/errors.ts';
import { silentLogger } from '../../runtime/logger.ts';
import { createMetrics } from '../../runtime/metrics.ts';
import { NEW_KEY_HEADER, OLD_KEY_HEADER, UNAVAILABLE } from '../../schemas/envelope.ts';
import { aChange, aDocument, aRecord, ARTICLES, articleId, never, version } from '../../test/support/builders.ts';
import { deadLettersIn, type DeadLetters } from '../dead-letters.ts';
import type { DocumentChange } from '../../schemas/document.ts';
import { DOCUMENTS_TOPIC } from '../../schemas/topics.ts';
import { carriedKey, documentsRecord } from '../records.ts';
import { pipelineTopics } from '../topics.ts';
import type { Verdict } from '../stage.ts';
import { decodeChange, type DecodedChange } from './decode-change.ts';

const TABLE: TableConfig = {
  table: 'public.articles',
  title: 'title',
  body: 'body',
  tenant: { column: 'tenant' },
  acl: { column: 'groups' },
  metadata: ['rank'],
};
const row = { id: '1', title: 'Returns', body: 'Thirty days.', tenant: 'acme', groups: ['staff'], rank: 3 };

let log: ReturnType<typeof openSqliteLog>;
let deadLetters: DeadLetters;

beforeEach(async () => {
  log = openSqliteLog({ path: ':memory:', clock: systemClock });
  await log.createTopics(pipelineTopics(1, 1_000_000));
  deadLetters = deadLettersIn({ log, clock: systemClock, logger: silentLogger, metrics: createMetrics() });
});

function decode(...records: LogRecord[]): Promise<readonly Verdict<DecodedChange>[]> {
  return decodeChange({
    tables: new Map([[ARTICLES, TABLE]]),
    log,
    deadLetters,
    maxDocumentBytes: 30_000,
    clock: systemClock,
  }).run(records, never);
}

function emitted(verdict: Verdict<DecodedChange> | undefined): DocumentChange {
  const [first] = verdict?.kind === 'emit' ? verdict.values : [];
  if (!first) throw new Error('nothing was emitted');
  return first.change;
}

/** The only change of the only verdict. */
async function one(record: LogRecord): Promise<unknown> {
  const [verdict] = await decode(record);
  return verdict?.kind === 'emit' ? verdict.values[0]?.change : verdict;
}

describe('decode-change', () => {
  test('a row becomes a document by the config', async () => {
    expect(await one(aChange({ lsn: 77, row }))).toEqual({
      kind: 'document',
      id: articleId('1'),
      version: version(77),
      source: { name: 'help', table: 'public.articles', key: '1' },
      position: '0/4D',
      committedAt: 1_700_000_000_000,
      title: 'Returns',
      parts: [{ name: 'body', text: 'Thirty days.' }],
      bodyFormat: 'text',
      tenant: 'acme',
      acl: ['staff'],
      metadata: { rank: 3 },
    });
  });

  test('a snapshot read has the lowest version of its epoch, so that every streamed change beats it (B11)', async () => {
    expect(await one(aChange({ op: 'r', epoch: 3, lsn: 900, row }))).toMatchObject({ version: version(0, 3) });
  });

  test.each([
    ['a mapped column is missing', { ...row, body: undefined }, 'FRESHET_MAPPING_FAILED'],
    ['the tenant is NULL', { ...row, tenant: null }, 'FRESHET_MAPPING_FAILED'],
    ['the ACL is no array', { ...row, groups: 'staff' }, 'FRESHET_MAPPING_FAILED'],
    [
      'an unchanged column is left out and no version is known',
      { ...row, body: UNAVAILABLE },
      'FRESHET_CONTENT_UNAVAILABLE',
    ],
  ])('a row is parked with its reason when %s', async (_, broken, code) => {
    const clean = Object.fromEntries(Object.entries(broken).filter(([, value]) => value !== undefined));
    expect(await one(aChange({ row: clean as never }))).toMatchObject({ kind: 'reject', error: { code } });
  });

  test('NULL in the ACL column means nobody', async () => {
    expect(await one(aChange({ row: { ...row, groups: null } }))).toMatchObject({ acl: [] });
  });

  test.each([
    ['bad JSON', '{"op":'],
    ['JSON that is no object', '[]'],
    ['invalid UTF-8', Uint8Array.of(0x7b, 0xff, 0x7d)],
    ['an envelope without source', '{"op":"c","before":null,"after":{},"ts_ms":1}'],
    ['nesting of 10,000', '['.repeat(10_000) + ']'.repeat(10_000)],
    ['a marker of unknown kind', '{"kind":"other"}'],
  ])('%s is parked, and its neighbours go on (R31)', async (_, value) => {
    const verdicts = await decode(aChange({ key: 'a', row }), aRecord({ value }), aChange({ key: 'b', row }));
    expect(verdicts.map((verdict) => verdict.kind)).toEqual(['emit', 'reject', 'emit']);
    expect(verdicts[1]).toMatchObject({ error: { code: 'FRESHET_RECORD_UNREADABLE' } });
  });

  test('a __proto__ key in a row changes nothing but that row', async () => {
    const value = JSON.stringify({ ...JSON.parse(Buffer.from(aChange({ row }).value ?? '').toString()) }).replace(
      '"rank":3',
      '"rank":3,"__proto__":{"polluted":1}',
    );
    await decode(aRecord({ value }));
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });

  test('lone surrogates and NUL, which cannot be stored, become replacement characters', async () => {
    expect(await one(aChange({ row: { ...row, title: 'a\ud800b\u0000c😀' } }))).toMatchObject({
      title: 'a\ufffdb\ufffdc😀',
    });
  });

  test('a record above the limit is parked by reference', async () => {
    expect(await one(aChange({ row: { ...row, body: 'x'.repeat(40_000) } }))).toMatchObject({
      kind: 'reject',
      error: { code: 'FRESHET_DOCUMENT_TOO_LARGE' },
    });
  });

  test('an unchanged TOASTed body comes from the last version, never as a placeholder (B13)', async () => {
    await log.append([
      documentsRecord(aDocument({ version: version(5), parts: [{ name: 'body', text: 'Long text.' }] }), 0),
    ]);
    expect(await one(aChange({ lsn: 9, row: { ...row, body: UNAVAILABLE } }))).toMatchObject({
      version: version(9),
      parts: [{ name: 'body', text: 'Long text.' }],
    });
  });

  test('an unchanged body comes from an earlier record of the same batch', async () => {
    const verdicts = await decode(
      aChange({ lsn: 5, row: { ...row, body: 'Newest text.' } }),
      aChange({ lsn: 9, row: { ...row, body: UNAVAILABLE } }),
    );
    expect(verdicts[1]).toMatchObject({ values: [{ change: { parts: [{ text: 'Newest text.' }] } }] });
  });

  test('an unchanged body is not taken from an older epoch, whose row may have been another one', async () => {
    await log.append([documentsRecord(aDocument({ version: version(5) }), 0)]);
    expect(await one(aChange({ lsn: 9, epoch: 1, row: { ...row, body: UNAVAILABLE } }))).toMatchObject({
      kind: 'reject',
      error: { code: 'FRESHET_CONTENT_UNAVAILABLE' },
    });
  });

  describe('a row that was read when an interrupted snapshot went on', () => {
    const read = aChange({
      op: 'r',
      row: { ...row, title: 'Read', body: 'Read text.' },
      source: { pgSnapshot: '10:20:15' },
    });
    const change = (lsn: number, txId: number, mayBeRead = true): LogRecord =>
      aChange({
        lsn,
        row: { ...row, title: `by ${txId}`, body: UNAVAILABLE },
        source: { txId, ...(mayBeRead && { mayBeRead }) },
      });

    test('shows changes that come behind it: they are not taken again', async () => {
      const verdicts = await decode(
        read,
        change(3, 12),
        aChange({ op: 'd', lsn: 4, source: { txId: 13, mayBeRead: true } }),
      );
      expect(verdicts.slice(1)).toEqual([
        { kind: 'drop', reason: 'superseded' },
        { kind: 'drop', reason: 'superseded' },
      ]);
      await log.append([documentsRecord(emitted(verdicts[0]), 0)]);
      expect(await decode(change(3, 12))).toEqual([{ kind: 'drop', reason: 'superseded' }]);
    });

    test('takes those of transactions that still ran, and of later ones', async () => {
      const verdicts = await decode(read, change(3, 15), change(5, 12), change(7, 20, false));
      expect(verdicts.slice(1).map(emitted)).toMatchObject([
        { title: 'by 15', parts: [{ text: 'Read text.' }] },
        { title: 'by 12' }, // no row any more, but a version that a change has made
        { title: 'by 20', parts: [{ text: 'Read text.' }] },
      ]);
      expect(emitted(verdicts[3])).not.toHaveProperty('pgSnapshot');
    });

    test('is not there when a change has removed it that comes later: what leaves its text out says nothing', async () => {
      expect(await decode(change(3, 12))).toEqual([{ kind: 'drop', reason: 'superseded' }]);
      expect(await decode(change(3, 12, false))).toMatchObject([{ error: { code: 'FRESHET_CONTENT_UNAVAILABLE' } }]);
    });
  });

  test('an unchanged body is not taken from before a version that is parked', async () => {
    await log.append([documentsRecord(aDocument({ version: version(5) }), 0)]);
    await deadLetters.write(
      [{ record: aChange({ lsn: 7, row: {} }), stage: 'decode-change', error: new MappingFailed('no') }],
      never,
    );
    expect(await one(aChange({ lsn: 9, row: { ...row, body: UNAVAILABLE } }))).toMatchObject({
      kind: 'reject',
      error: { code: 'FRESHET_CONTENT_UNAVAILABLE' },
    });
  });

  test('an unchanged body is not taken from before a version that the same batch rejects, nor when it is delivered again', async () => {
    await log.append([documentsRecord(aDocument({ version: version(5) }), 0)]);
    const [broken, behind] = [aChange({ lsn: 7, row: {} }), aChange({ lsn: 9, row: { ...row, body: UNAVAILABLE } })];
    expect(await decode(broken, behind)).toMatchObject([
      { error: { code: 'FRESHET_MAPPING_FAILED' } },
      { error: { code: 'FRESHET_CONTENT_UNAVAILABLE' } },
    ]);
    const error = new MappingFailed('no');
    await deadLetters.write([{ record: broken, stage: 'decode-change', error }], never);
    await deadLetters.write([{ record: behind, stage: 'decode-change', error }], never);
    expect(await one(behind)).toMatchObject({ error: { code: 'FRESHET_CONTENT_UNAVAILABLE' } });
  });

  const deleteHalf = (from: string, to: string, lsn: number): LogRecord =>
    aChange({ op: 'd', key: from, lsn, headers: { [NEW_KEY_HEADER]: JSON.stringify({ id: to }) } });
  const createHalf = (from: string, to: string, lsn: number): LogRecord =>
    aChange({
      op: 'c',
      key: to,
      lsn,
      row: { ...row, body: UNAVAILABLE },
      headers: { [OLD_KEY_HEADER]: JSON.stringify({ id: from }) },
    });
  const append = async (verdict: Verdict<DecodedChange> | undefined): Promise<void> => {
    if (verdict?.kind !== 'emit') throw new Error('not emitted');
    await log.append(verdict.values.map(({ change }) => documentsRecord(change, 0)));
  };

  test('a key change carries the unchanged body to the new id, even when the old key is used again meanwhile (R06)', async () => {
    await log.append([
      documentsRecord(aDocument({ key: 'old', version: version(5), parts: [{ name: 'body', text: 'Long text.' }] }), 0),
    ]);
    await append((await decode(deleteHalf('old', 'new', 9)))[0]);
    await log.append([documentsRecord(aDocument({ key: 'old', version: version(20) }), 0)]);
    const [created] = await decode(createHalf('old', 'new', 9));
    expect(created).toMatchObject({
      values: [
        { change: { kind: 'document', id: articleId('new'), parts: [{ text: 'Long text.' }] } },
        { change: { kind: 'carried', to: articleId('new') } },
      ],
    });
    await append(created);
    expect(await log.latest(DOCUMENTS_TOPIC, [carriedKey(articleId('new'), version(9))])).toEqual([undefined]);
  });

  test('the create half of a key change waits for the delete half on another partition', async () => {
    await log.append([documentsRecord(aDocument({ key: 'old', version: version(5) }), 0)]);
    await expect(decode(aChange({ key: 'other', row }), createHalf('old', 'new', 9))).rejects.toMatchObject({
      index: 1,
    });
  });

  test('a chain of key changes in one batch keeps the content (R06)', async () => {
    const first = aChange({ op: 'c', key: 'a', lsn: 1, row: { ...row, body: 'Long text.' } });
    const verdicts = await decode(
      first,
      deleteHalf('a', 'b', 2),
      createHalf('a', 'b', 2),
      deleteHalf('b', 'c', 3),
      createHalf('b', 'c', 3),
    );
    expect(verdicts.at(-1)).toMatchObject({
      values: [{ change: { id: articleId('c'), parts: [{ text: 'Long text.' }] } }, { change: { kind: 'carried' } }],
    });
  });
});
