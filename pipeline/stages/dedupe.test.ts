import { beforeEach, describe, expect, test } from 'vitest';
import { openSqliteLog } from '../../ports/log/sqlite-log.ts';
import { systemClock } from '../../runtime/clock.ts';
import type { DocumentChange } from '../../schemas/document.ts';
import { aDocument, aTombstone, never, version } from '../../test/support/builders.ts';
import { documentsRecord } from '../records.ts';
import { pipelineTopics } from '../topics.ts';
import { dedupe } from './dedupe.ts';

let log: ReturnType<typeof openSqliteLog>;

beforeEach(async () => {
  log = openSqliteLog({ path: ':memory:', clock: systemClock });
  await log.createTopics(pipelineTopics(1, 1_000_000));
});

const decoded = (change: DocumentChange) => ({ change, partition: 0 });

describe('dedupe', () => {
  test('a redelivered version is a duplicate once it was appended, and not before', async () => {
    const stage = dedupe(log);
    const change = decoded(aDocument());
    expect(await stage.run([change], never)).toMatchObject([{ kind: 'emit' }]);
    expect(await stage.run([change], never)).toMatchObject([{ kind: 'emit' }]);
    stage.appended([change]);
    expect(await stage.run([change], never)).toEqual([{ kind: 'drop', reason: 'duplicate' }]);
  });

  test('after a restart the log itself says what was appended', async () => {
    await log.append([documentsRecord(aDocument({ version: version(10) }), 0)]);
    const verdicts = await dedupe(log).run(
      [
        decoded(aDocument({ version: version(9) })),
        decoded(aDocument({ version: version(10) })),
        decoded(aDocument({ version: version(11) })),
      ],
      never,
    );
    expect(verdicts).toMatchObject([
      { kind: 'drop', reason: 'superseded' },
      { kind: 'drop', reason: 'duplicate' },
      { kind: 'emit' },
    ]);
  });

  test('rows of a COPY, which share one position, are different documents', async () => {
    const copied = ['a', 'b', 'c'].map((key) => decoded(aDocument({ key, version: version(10) })));
    expect((await dedupe(log).run(copied, never)).map((verdict) => verdict.kind)).toEqual(['emit', 'emit', 'emit']);
  });

  test('a late upsert behind a tombstone is superseded', async () => {
    const verdicts = await dedupe(log).run(
      [decoded(aTombstone({ version: version(20) })), decoded(aDocument({ version: version(15) }))],
      never,
    );
    expect(verdicts).toMatchObject([{ kind: 'emit' }, { kind: 'drop', reason: 'superseded' }]);
  });
});
