import { describe, expect, test } from 'vitest';
import { EventInvalid } from '../../runtime/errors.ts';
import { readEvents } from './read-events.ts';

const event = (over: object = {}) => ({
  id: 'evt_1',
  type: 'upsert',
  collection: 'tickets',
  key: '7',
  document: { body: 'text' },
  ...over,
});
const read = (body: unknown) => readEvents(Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)));
const pointers = (body: unknown): string[] => {
  try {
    read(body);
    return [];
  } catch (error) {
    if (error instanceof EventInvalid) return error.faults.map(({ pointer }) => pointer);
    throw error;
  }
};

describe('events of a webhook', () => {
  test('are read alone or as a list, in order', () => {
    expect(read(event())).toEqual([event()]);
    expect(read({ events: [event({ id: 'a' }), event({ id: 'b' })] }).map(({ id }) => id)).toEqual(['a', 'b']);
  });

  test('name every fault by its JSON pointer', () => {
    const bad = { events: [event({ type: 'move', extra: 1 }), event({ key: '', document: { title: 3 } })] };
    expect(pointers(bad).sort()).toEqual(
      [
        '/events/0/extra',
        '/events/0/type',
        '/events/1/document/body',
        '/events/1/document/title',
        '/events/1/key',
      ].sort(),
    );
  });

  test('of kind upsert need a document, of kind delete none', () => {
    const { document: _document, ...bare } = event();
    expect(pointers(bare)).toEqual(['/document']);
    expect(pointers({ ...bare, type: 'delete' })).toEqual([]);
  });

  test('keep a key and a version beyond 2^53 exactly', () => {
    const body = '{"id":"a","type":"delete","collection":"t","key":9007199254740993,"version":9007199254740995}';
    expect(read(body)[0]).toMatchObject({ key: '9007199254740993', version: '9007199254740995' });
  });

  test('with a version that does not fit beside the epoch are refused', () => {
    expect(pointers(event({ version: String(2n ** 55n) }))).toEqual(['/version']);
    expect(pointers(event({ version: String(2n ** 55n - 1n) }))).toEqual([]);
  });

  test.each([
    ['not JSON', '{'],
    ['a duplicated name', '{"id":"a","id":"b"}'],
    ['a poisoned name', '{"id":"a","__proto__":{"polluted":1}}'],
    ['a list at the top', '[]'],
    ['no event', '{"events":[]}'],
    ['null', 'null'],
    ['too many', JSON.stringify({ events: Array.from({ length: 1_001 }, () => event()) })],
  ])('are refused: %s', (_what, body) => {
    expect(pointers(body).length).toBeGreaterThan(0);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  test('never repeat what was sent in a fault', () => {
    const secret = 'sk-very-secret';
    try {
      read(event({ type: secret, key: { [secret]: 1 } }));
      expect.unreachable();
    } catch (error) {
      expect(JSON.stringify((error as EventInvalid).faults.map(({ detail }) => detail))).not.toContain(secret);
      expect((error as EventInvalid).message).not.toContain(secret);
    }
  });
});
