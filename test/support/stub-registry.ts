import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { avroSchema } from '../../ports/schema-registry/avro-schema.ts';

/** A schema registry over HTTP as Confluent's REST API describes it, as far as consumers use it. */
export interface StubRegistry extends AsyncDisposable {
  /** Address with the credentials that it asks for. */
  readonly url: string;
  /** Registers a schema; the same schema gets the same number, as the real one does. */
  register(schema: unknown, schemaType?: string): number;
  /** A value as a producer would frame it. */
  frame(id: number, value: unknown): Buffer;
  /** Requests of `GET /schemas/ids/{id}` so far. */
  readonly requests: readonly number[];
  /** When set, every request is answered with this status and no schema. */
  failWith: number | undefined;
}

const USER = 'reader';
const PASSWORD = 'p@ss/word';

interface Registered {
  readonly schema: string;
  readonly schemaType: string | undefined;
}

export async function stubRegistry(): Promise<StubRegistry> {
  const schemas: Registered[] = [];
  const requests: number[] = [];
  const stub = { failWith: undefined as number | undefined };
  const server = createServer((request, response) => answer(request, response));
  function answer(request: IncomingMessage, response: ServerResponse): void {
    const reply = (status: number, body: unknown): void => {
      response.writeHead(status, { 'content-type': 'application/vnd.schemaregistry.v1+json' });
      response.end(JSON.stringify(body));
    };
    const expected = `Basic ${Buffer.from(`${USER}:${PASSWORD}`).toString('base64')}`;
    if (request.headers.authorization !== expected) return reply(401, { error_code: 401, message: 'Unauthorized' });
    const id = Number(/^\/schemas\/ids\/(\d+)$/.exec(request.url ?? '')?.[1]);
    requests.push(id);
    if (stub.failWith !== undefined) return reply(stub.failWith, { error_code: 50_001, message: 'Error' });
    const found = schemas[id - 1];
    if (!found) return reply(404, { error_code: 40_403, message: `Schema ${id} not found` });
    return reply(200, { schema: found.schema, ...(found.schemaType && { schemaType: found.schemaType }) });
  }
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  return Object.assign(stub, {
    url: `http://${USER}:${encodeURIComponent(PASSWORD)}@127.0.0.1:${port}/`,
    requests,
    register(schema: unknown, schemaType?: string) {
      const text = typeof schema === 'string' ? schema : JSON.stringify(schema);
      const at = schemas.findIndex((one) => one.schema === text && one.schemaType === schemaType);
      return at === -1 ? schemas.push({ schema: text, schemaType }) : at + 1;
    },
    frame(id: number, value: unknown) {
      const head = Buffer.alloc(5);
      head.writeInt32BE(id, 1);
      return Buffer.concat([head, avroSchema(JSON.parse(schemas[id - 1]?.schema ?? 'null')).encode(value)]);
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  });
}
