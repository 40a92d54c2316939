import avro from 'avsc';

/** 64-bit integers as bigint: a number would round them, and positions in a database's log are that large. */
const exactLong = avro.types.LongType.__with({
  fromBuffer: (bytes: Buffer) => bytes.readBigInt64LE(),
  toBuffer: (value: bigint | number) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(value));
    return bytes;
  },
  fromJSON: (value: number | string) => BigInt(value),
  toJSON: (value: bigint) => Number(value),
  isValid: (value: unknown) => typeof value === 'bigint' || Number.isInteger(value),
  compare: (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0),
});

/** Reads and writes values of one Avro schema. */
export interface AvroSchema {
  /** @throws when the bytes do not fit the schema */
  decode(bytes: Buffer): unknown;
  /** For tests, which play the producer. */
  encode(value: unknown): Buffer;
}

/** @throws when the schema is no Avro */
export function avroSchema(schema: unknown): AvroSchema {
  const type = avro.Type.forSchema(schema as avro.Schema, { registry: { long: exactLong }, wrapUnions: false });
  return { decode: (bytes) => type.fromBuffer(bytes) as unknown, encode: (value) => type.toBuffer(value) };
}
