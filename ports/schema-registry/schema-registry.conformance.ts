import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { stubRegistry, type StubRegistry } from '../../test/support/stub-registry.ts';
import type { SchemaRegistry } from './schema-registry.ts';

const ROW = {
  type: 'record',
  name: 'Value',
  fields: [
    { name: 'id', type: 'long' },
    { name: 'body', type: ['null', 'string'], default: null },
    { name: 'raw', type: { type: 'bytes', 'connect.name': 'io.debezium.data.Bits' } },
  ],
};
const never = new AbortController().signal;

/** What every schema registry adapter means; `open` connects one to the registry behind `url`. */
export function schemaRegistryConformance(name: string, open: (url: string) => SchemaRegistry): void {
  describe(`schema registry: ${name}`, () => {
    let stub: StubRegistry;
    let registry: SchemaRegistry;

    beforeEach(async () => {
      stub = await stubRegistry();
      registry = open(stub.url);
    });
    afterEach(() => stub[Symbol.asyncDispose]());

    test('a framed value is read by the schema it names, 64-bit integers exactly', async () => {
      const value = { id: 9_223_372_036_854_775_807n, body: 'text', raw: Buffer.from([1, 2]) };
      const framed = stub.frame(stub.register(ROW), value);
      expect(await registry.decode(framed, never)).toEqual({ value, schema: ROW });
    });

    test('a schema is fetched once, also when many records ask for it at the same time', async () => {
      const framed = stub.frame(stub.register(ROW), { id: 1n, body: null, raw: Buffer.alloc(0) });
      await Promise.all(Array.from({ length: 20 }, () => registry.decode(framed, never)));
      await registry.decode(framed, never);
      expect(stub.requests).toHaveLength(1);
    });

    test('a number that is not registered parks the record, and only that one', async () => {
      const framed = stub.frame(stub.register(ROW), { id: 1n, body: null, raw: Buffer.alloc(0) });
      const unknown = Buffer.from(framed);
      unknown.writeInt32BE(77, 1);
      await expect(registry.decode(unknown, never)).rejects.toMatchObject({
        code: 'FRESHET_RECORD_UNREADABLE',
        fate: 'dead-letter',
        message: expect.stringContaining('77') as string,
      });
      await expect(registry.decode(framed, never)).resolves.toBeDefined();
    });

    test.each([500, 503, 429])('a registry that answers %i is asked again later, and then reads', async (status) => {
      const framed = stub.frame(stub.register(ROW), { id: 1n, body: null, raw: Buffer.alloc(0) });
      stub.failWith = status;
      await expect(registry.decode(framed, never)).rejects.toMatchObject({
        code: 'FRESHET_SCHEMA_REGISTRY_UNAVAILABLE',
        fate: 'retry',
      });
      stub.failWith = undefined;
      await expect(registry.decode(framed, never)).resolves.toBeDefined();
    });

    test('a registry that is not there makes the record wait', async () => {
      const framed = stub.frame(stub.register(ROW), { id: 1n, body: null, raw: Buffer.alloc(0) });
      await stub[Symbol.asyncDispose]();
      await expect(registry.decode(framed, never)).rejects.toMatchObject({ fate: 'retry' });
    });

    test('wrong credentials are said to be wrong, without showing them', async () => {
      const framed = stub.frame(stub.register(ROW), { id: 1n, body: null, raw: Buffer.alloc(0) });
      const url = new URL(stub.url);
      url.password = 'guess';
      await expect(open(url.href).decode(framed, never)).rejects.toMatchObject({
        fate: 'retry',
        message: expect.not.stringContaining('guess') as string,
      });
    });

    test.each([
      ['bytes that end too early', (framed: Buffer) => framed.subarray(0, 6)],
      ['no frame', () => Buffer.from('{}')],
      ['nothing but the frame', (framed: Buffer) => framed.subarray(0, 5)],
    ])('%s park the record', async (_what, spoil) => {
      const framed = stub.frame(stub.register(ROW), { id: 1n, body: 'long enough', raw: Buffer.alloc(0) });
      await expect(registry.decode(spoil(framed), never)).rejects.toMatchObject({ code: 'FRESHET_RECORD_UNREADABLE' });
    });

    test('a schema of another kind, or one that cannot be used, parks the record', async () => {
      const framed = stub.frame(stub.register(ROW), { id: 1n, body: null, raw: Buffer.alloc(0) });
      for (const id of [stub.register('syntax = "proto3";', 'PROTOBUF'), stub.register('{"type":"nonsense"}')]) {
        const other = Buffer.from(framed);
        other.writeInt32BE(id, 1);
        await expect(registry.decode(other, never)).rejects.toMatchObject({ code: 'FRESHET_RECORD_UNREADABLE' });
      }
    });

    test('an abort ends a request with its reason', async () => {
      const framed = stub.frame(stub.register(ROW), { id: 1n, body: null, raw: Buffer.alloc(0) });
      await expect(registry.decode(framed, AbortSignal.abort(new Error('stop')))).rejects.toThrow('stop');
    });
  });
}
