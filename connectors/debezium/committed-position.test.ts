import { describe, expect, test } from 'vitest';
import { isSnapshotOver } from './committed-position.ts';

describe('the offset of a snapshot', () => {
  test.each([
    ['of the notification that it starts', {}, false],
    ['of a row', { file: 'binlog.000002', pos: 4, snapshot: 'INITIAL', snapshot_completed: false }, false],
    ['of a row, as older versions mark it', { file: 'binlog.000002', pos: 4, snapshot: true }, false],
    ['of a row of MongoDB', { sec: 7, ord: 1, initsync: true }, false],
    ['behind its last row', { file: 'binlog.000002', pos: 4 }, true],
  ])('%s: %o is the end: %s', (_, offset, isOver) => {
    expect(isSnapshotOver(offset)).toBe(isOver);
  });
});
