import { systemClock, type Clock } from '../../runtime/clock.ts';
import { deadline } from '../../runtime/deadline.ts';
import { RecordUnreadable, SchemaRegistryUnavailable } from '../../runtime/errors.ts';
import { avroSchema, type AvroSchema } from './avro-schema.ts';
import { FRAME_BYTES, isFramed, type FramedValue, type SchemaRegistry } from './schema-registry.ts';

/** Where the registry is. */
export interface ConfluentRegistryOptions {
  /** Address of the registry; user and password in it are sent as basic authentication. */
  readonly url: string;
  /** How long one request may take, ms; default 10,000. */
  readonly timeoutMs?: number;
  /** By which that is measured; the system's when absent. */
  readonly clock?: Clock;
}

const DEFAULT_TIMEOUT_MS = 10_000;
/** A table has one schema per change of its columns; this many are kept, the rest is fetched again. */
const MAX_SCHEMAS = 1_000;

interface RegisteredSchema {
  readonly codec: AvroSchema;
  readonly schema: unknown;
}

/** Reads schemas over the REST API that Confluent's registry, Karapace and Apicurio offer (`GET /schemas/ids/{id}`). */
export function confluentRegistry(options: ConfluentRegistryOptions): SchemaRegistry {
  return new ConfluentRegistry(options);
}

class ConfluentRegistry implements SchemaRegistry {
  readonly #base: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #timeoutMs: number;
  readonly #clock: Clock;
  readonly #schemas = new Map<number, Promise<RegisteredSchema>>();

  constructor({ url, timeoutMs = DEFAULT_TIMEOUT_MS, clock = systemClock }: ConfluentRegistryOptions) {
    const address = new URL(url);
    const credentials = `${decodeURIComponent(address.username)}:${decodeURIComponent(address.password)}`;
    this.#headers = {
      accept: 'application/vnd.schemaregistry.v1+json, application/json',
      ...(address.username !== '' && { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` }),
    };
    address.username = '';
    address.password = '';
    this.#base = address.href.replace(/\/$/, '');
    this.#timeoutMs = timeoutMs;
    this.#clock = clock;
  }

  async decode(framed: Uint8Array, signal: AbortSignal): Promise<FramedValue> {
    if (!isFramed(framed)) throw new RecordUnreadable('The record is not framed for a schema registry.');
    const bytes = Buffer.from(framed.buffer, framed.byteOffset, framed.byteLength);
    const id = bytes.readInt32BE(1);
    const { codec, schema } = await this.#schema(id, signal);
    try {
      return { value: codec.decode(bytes.subarray(FRAME_BYTES)), schema };
    } catch {
      // The parser's own message may quote the bytes, which must not reach a log.
      throw new RecordUnreadable(`The record does not fit its Avro schema, number ${id} in the registry.`);
    }
  }

  /** One request per number, also when many records ask at once; a failed one is not remembered. */
  async #schema(id: number, signal: AbortSignal): Promise<RegisteredSchema> {
    const known = this.#schemas.get(id);
    if (known) return await known;
    const fetched = this.#fetch(id, signal);
    this.#schemas.set(id, fetched);
    if (this.#schemas.size > MAX_SCHEMAS) this.#forgetOldest();
    try {
      return await fetched;
    } catch (error) {
      this.#schemas.delete(id);
      throw error;
    }
  }

  #forgetOldest(): void {
    for (const id of this.#schemas.keys()) {
      this.#schemas.delete(id);
      return;
    }
  }

  async #fetch(id: number, signal: AbortSignal): Promise<RegisteredSchema> {
    const reply = await this.#get(`/schemas/ids/${id}`, signal);
    if (reply.status === 404)
      throw new RecordUnreadable(`The record names schema ${id}, which the registry does not have.`);
    if (reply.status === 401 || reply.status === 403)
      throw new SchemaRegistryUnavailable(`The schema registry refuses our credentials (${reply.status}).`);
    if (reply.status !== 200) throw new SchemaRegistryUnavailable(`The schema registry answers ${reply.status}.`);
    const body = parse(reply.text);
    if (!body) throw new SchemaRegistryUnavailable('The schema registry answers with something that is no schema.');
    if (body.schemaType !== undefined && body.schemaType !== 'AVRO')
      throw new RecordUnreadable(`Schema ${id} is ${body.schemaType}; only Avro and JSON are read.`);
    try {
      const schema: unknown = JSON.parse(body.schema);
      return { codec: avroSchema(schema), schema };
    } catch (cause) {
      throw new RecordUnreadable(`Schema ${id} of the registry is no usable Avro schema.`, { cause });
    }
  }

  async #get(path: string, signal: AbortSignal): Promise<{ readonly status: number; readonly text: string }> {
    const limit = deadline(this.#clock, this.#timeoutMs, signal);
    try {
      const response = await fetch(`${this.#base}${path}`, { headers: this.#headers, signal: limit.signal });
      return { status: response.status, text: await response.text() };
    } catch (cause) {
      signal.throwIfAborted();
      throw new SchemaRegistryUnavailable('The schema registry cannot be reached.', { cause });
    } finally {
      limit.end();
    }
  }
}

function parse(text: string): { readonly schema: string; readonly schemaType?: string } | undefined {
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body !== 'object' || body === null || !('schema' in body) || typeof body.schema !== 'string')
      return undefined;
    const { schema } = body;
    const type = 'schemaType' in body ? body.schemaType : undefined;
    return { schema, ...(typeof type === 'string' && { schemaType: type }) };
  } catch {
    return undefined;
  }
}
