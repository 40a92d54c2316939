/** A record's bytes, read by the schema that they name. */
export interface FramedValue {
  /** Records and maps as objects, 64-bit integers as bigint, bytes as Uint8Array, optional values as null or the value. */
  readonly value: unknown;
  /** The Avro schema as the registry has it, parsed; carries Connect's names (`connect.name`) of semantic types. */
  readonly schema: unknown;
}

/**
 * Schemas by number, as producers have registered them. A number never changes its schema, so that each is fetched once. Every
 * adapter passes `schema-registry.conformance.ts`.
 */
export interface SchemaRegistry {
  /**
   * Reads bytes in the registry's framing: one zero byte, the schema's number in four bytes, big-endian, then the value in Avro.
   * @throws RecordUnreadable when the number is not registered, the schema is no Avro, or the bytes do not fit it: the record is parked.
   * @throws SchemaRegistryUnavailable when the registry cannot be asked: the record waits.
   */
  decode(framed: Uint8Array, signal: AbortSignal): Promise<FramedValue>;
}

/** First byte of a framed value. No JSON begins with it. */
export const FRAME_MAGIC = 0;
/** Bytes before the value: the magic byte and the schema's number. */
export const FRAME_BYTES = 5;

/** Whether bytes look framed; JSON text never does. */
export function isFramed(bytes: Uint8Array): boolean {
  return bytes.length >= FRAME_BYTES && bytes[0] === FRAME_MAGIC;
}
