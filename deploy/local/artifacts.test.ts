import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { artifacts, checksumFault, type Checksums } from './artifacts.ts';
import { root } from './root.ts';

const recorded = JSON.parse(readFileSync(join(root, 'deploy/local/checksums.json'), 'utf8')) as Record<
  string,
  Checksums
>;

describe('downloads of engines', () => {
  const expected = { 'a.jar': 'aa', 'b.jar': 'bb' };

  test('are accepted when every file is the expected one', () => {
    expect(checksumFault(expected, { 'b.jar': 'bb', 'a.jar': 'aa' })).toBeUndefined();
  });

  test('are refused by name when a file has other content', () => {
    expect(checksumFault(expected, { 'a.jar': 'aa', 'b.jar': 'xx' })).toBe('other content than expected in b.jar');
  });

  test('are refused when a file came along that nobody has vouched for', () => {
    expect(checksumFault(expected, { ...expected, 'c.jar': 'cc' })).toBe('no checksum is known for c.jar');
  });

  test('are refused when a file is missing', () => {
    expect(checksumFault(expected, { 'a.jar': 'aa' })).toBe('missing: b.jar');
  });

  test('have a checksum for everything that is asked for, in the version that is asked for', () => {
    expect(Object.keys(recorded).toSorted()).toEqual(Object.keys(artifacts).toSorted());
    for (const [name, coordinates] of Object.entries(artifacts))
      for (const coordinate of coordinates) {
        const [, id, version, type = 'jar'] = coordinate.split(':');
        expect(recorded[name]?.[`${id}-${version}.${type}`]).toMatch(/^[0-9a-f]{64}$/);
      }
  });
});
