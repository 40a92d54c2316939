import { Compile } from 'typebox/compile';
import type { LogRecord } from '../../ports/log/log.ts';
import { isFramed, type SchemaRegistry } from '../../ports/schema-registry/schema-registry.ts';
import { FreshetError, RecordUnreadable } from '../../runtime/errors.ts';
import { Envelope } from '../../schemas/envelope.ts';
import { Marker } from '../../schemas/marker.ts';
import { HookRecord } from '../../schemas/webhook-event.ts';
import { debeziumEnvelope, type DebeziumEnvelope } from './debezium-change.ts';
import { parseExact } from './exact-json.ts';

const envelope = Compile(Envelope);
const marker = Compile(Marker);
const hook = Compile(HookRecord);
const utf8 = new TextDecoder('utf-8', { fatal: true });

/** A value as it stands on the wire, with the schema that came with it. */
interface WireValue {
  readonly value: unknown;
  readonly schema?: unknown;
}

/** What a source topic holds, told apart by shape. */
export type SourceRecord =
  | { readonly kind: 'marker'; readonly marker: Marker }
  | { readonly kind: 'envelope'; readonly envelope: Envelope }
  | { readonly kind: 'debezium'; readonly envelope: DebeziumEnvelope; readonly schema: unknown }
  | { readonly kind: 'hook'; readonly hook: HookRecord };

/**
 * Reads the values of records of source topics: JSON, with or without Kafka Connect's schema, or Avro in a registry's framing.
 * A record that cannot be read gives RecordUnreadable in its place, naming what is wrong and where, never the text itself.
 * @throws SchemaRegistryUnavailable: none of them can be read now.
 */
export async function readSourceRecords(
  records: readonly Pick<LogRecord, 'value'>[],
  registry: SchemaRegistry | undefined,
  signal: AbortSignal,
): Promise<readonly (SourceRecord | Error)[]> {
  const read: (SourceRecord | Error)[] = [];
  for (const { value } of records) {
    const bytes = value ?? new Uint8Array();
    try {
      // One after the other: they mostly share a schema, which the first one fetches.
      const wire = isFramed(bytes) ? await readAvro(bytes, registry, signal) : readJson(bytes);
      read.push(recognise(wire));
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof FreshetError && error.fate !== 'dead-letter') throw error;
      read.push(error instanceof Error ? error : new RecordUnreadable('The record cannot be read.'));
    }
  }
  return read;
}

async function readAvro(
  bytes: Uint8Array,
  registry: SchemaRegistry | undefined,
  signal: AbortSignal,
): Promise<WireValue> {
  if (!registry) throw new RecordUnreadable('The record is Avro, and no schema registry is configured.');
  return registry.decode(bytes, signal);
}

function readJson(bytes: Uint8Array): WireValue {
  const value = parseJson(bytes);
  const isWithSchema = isObject(value) && 'schema' in value && 'payload' in value && !('op' in value);
  return isWithSchema ? { value: value['payload'], schema: value['schema'] } : { value };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function recognise(wire: WireValue): SourceRecord {
  try {
    return sourceRecord(wire);
  } catch (error) {
    // The parser takes any depth; the check of a recursive schema runs out of stack.
    if (error instanceof RangeError) throw new RecordUnreadable('The record is nested too deeply.');
    throw error;
  }
}

function sourceRecord({ value, schema }: WireValue): SourceRecord {
  if (!isObject(value)) throw new RecordUnreadable('The record can be read, but is not an object.');
  if ('kind' in value) {
    if (marker.Check(value)) return { kind: 'marker', marker: value };
    throw unreadable('marker', marker.Errors(value));
  }
  if ('event' in value) {
    if (hook.Check(value)) return { kind: 'hook', hook: value };
    throw unreadable('webhook event', hook.Errors(value));
  }
  // Our own connectors state the epoch with each change; Debezium's records have it in a header.
  const { source } = value;
  if (isObject(source) && 'connector' in source && !('epoch' in source)) {
    if (debeziumEnvelope.Check(value)) return { kind: 'debezium', envelope: value, schema };
    throw unreadable('change envelope', debeziumEnvelope.Errors(value));
  }
  if (envelope.Check(value)) return { kind: 'envelope', envelope: value as Envelope };
  throw unreadable('change envelope', envelope.Errors(value));
}

function parseJson(bytes: Uint8Array): unknown {
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch (cause) {
    throw new RecordUnreadable('The record is not valid UTF-8.', { cause });
  }
  try {
    // Only changes of rows hold integers of 64 bits; a webhook's numbers are what its sender's JSON made of them.
    return text.includes('"source":{') ? parseExact(text) : JSON.parse(text);
  } catch (error) {
    // The parser's own message quotes the text, which must not reach a log.
    throw new RecordUnreadable(
      error instanceof SyntaxError ? 'The record is not JSON.' : 'The record is nested too deeply.',
    );
  }
}

function unreadable(
  what: string,
  errors: readonly { readonly instancePath: string; readonly message: string }[],
): RecordUnreadable {
  const faults = errors.slice(0, 3).map(({ instancePath, message }) => `${instancePath || '/'} ${message}`);
  return new RecordUnreadable(`The record is not a ${what}: ${faults.join('; ')}.`);
}
