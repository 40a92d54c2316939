import { describe, expect, test } from 'vitest';
import { begunSnapshot, committedPlace, isSnapshotOver } from './committed-position.ts';

describe('the offset of a snapshot', () => {
  test.each([
    ['of the notification that it starts', {}, false],
    ['of a row', { lsn: 7, snapshot: 'INITIAL', snapshot_completed: false }, false],
    ['of a row, as older versions mark it', { lsn: 7, snapshot: true, last_snapshot_record: false }, false],
    ['of a row of MongoDB', { sec: 7, ord: 1, initsync: true }, false],
    ['behind its last row', { lsn: 7, txId: 5, ts_usec: 1 }, true],
    ['behind its last row, in a binlog', { file: 'binlog.000002', pos: 4 }, true],
  ])('%s: %o is the end: %s', (_, offset, isOver) => {
    expect(isSnapshotOver(offset)).toBe(isOver);
  });

  test('that it begins with is not its end, and no place of the stream', () => {
    const begun = begunSnapshot({ lsn: 7, lsn_commit: 7, lsn_proc: 7, ts_usec: 1 });
    expect(isSnapshotOver(begun)).toBe(false);
    expect(committedPlace('postgres', begun)).toBeUndefined();
  });
});
