/** A vector out of a JSON array; what is not a number (TEI writes NaN as `null`) becomes NaN, for the check to find. */
export function vectorOf(value: unknown): Float32Array | undefined {
  if (!Array.isArray(value)) return undefined;
  const vector = new Float32Array(value.length);
  for (let i = 0; i < value.length; i++) {
    const component: unknown = value[i];
    vector[i] = typeof component === 'number' ? component : Number.NaN;
  }
  return vector;
}

/** A vector out of base64 of little-endian 32-bit floats, as OpenAI, TEI and Cohere write them; undefined when it is none. */
export function vectorOfBase64(value: unknown): Float32Array | undefined {
  if (typeof value !== 'string') return undefined;
  const bytes = Buffer.from(value, 'base64');
  if (bytes.length === 0 || bytes.length % 4 !== 0) return undefined;
  const vector = new Float32Array(bytes.length / 4);
  // Every platform that Node runs on is little-endian, or would read its own order here.
  if (isLittleEndian) new Uint8Array(vector.buffer).set(bytes);
  else for (let i = 0; i < vector.length; i++) vector[i] = bytes.readFloatLE(i * 4);
  return vector;
}

const isLittleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;
