/* Keccak-256 with the original padding, which Node's SHA-3 does not offer; only to check the capitals of Ethereum addresses. */

const MASK = (1n << 64n) - 1n;
/** Bytes of input per round of a 256-bit digest. */
const RATE = 136;

const ROUND_CONSTANTS = [
  0x0000000000000001n,
  0x0000000000008082n,
  0x800000000000808an,
  0x8000000080008000n,
  0x000000000000808bn,
  0x0000000080000001n,
  0x8000000080008081n,
  0x8000000000008009n,
  0x000000000000008an,
  0x0000000000000088n,
  0x0000000080008009n,
  0x000000008000000an,
  0x000000008000808bn,
  0x800000000000008bn,
  0x8000000000008089n,
  0x8000000000008003n,
  0x8000000000008002n,
  0x8000000000000080n,
  0x000000000000800an,
  0x800000008000000an,
  0x8000000080008081n,
  0x8000000000008080n,
  0x0000000080000001n,
  0x8000000080008008n,
];
const ROTATIONS = [1, 3, 6, 10, 15, 21, 28, 36, 45, 55, 2, 14, 27, 41, 56, 8, 25, 43, 62, 18, 39, 61, 20, 44];
const LANES = [10, 7, 11, 17, 18, 3, 5, 16, 8, 21, 24, 4, 15, 23, 19, 13, 12, 2, 20, 14, 22, 9, 6, 1];

const rotate = (lane: bigint, by: number): bigint => ((lane << BigInt(by)) | (lane >> BigInt(64 - by))) & MASK;

function permute(state: bigint[]): void {
  const lane = (i: number): bigint => state[i] ?? 0n;
  for (const constant of ROUND_CONSTANTS) {
    const parity = [0, 1, 2, 3, 4].map((x) => lane(x) ^ lane(x + 5) ^ lane(x + 10) ^ lane(x + 15) ^ lane(x + 20));
    for (let i = 0; i < 25; i++)
      state[i] = lane(i) ^ (parity[((i % 5) + 4) % 5] ?? 0n) ^ rotate(parity[((i % 5) + 1) % 5] ?? 0n, 1);
    let moving = lane(1);
    for (const [i, target] of LANES.entries()) {
      const next = lane(target);
      state[target] = rotate(moving, ROTATIONS[i] ?? 0);
      moving = next;
    }
    for (let y = 0; y < 25; y += 5) {
      const row = [0, 1, 2, 3, 4].map((x) => lane(y + x));
      for (let x = 0; x < 5; x++)
        state[y + x] = (row[x] ?? 0n) ^ (~(row[(x + 1) % 5] ?? 0n) & MASK & (row[(x + 2) % 5] ?? 0n));
    }
    state[0] = lane(0) ^ constant;
  }
}

/** The Keccak-256 digest of at most one block of input, which is all that an address needs. */
export function keccak256(input: Uint8Array): Buffer {
  if (input.length >= RATE) throw new RangeError(`keccak256 takes fewer than ${RATE} bytes`);
  const block = Buffer.alloc(RATE);
  block.set(input);
  block[input.length] = (block[input.length] ?? 0) ^ 0x01;
  block[RATE - 1] = (block[RATE - 1] ?? 0) ^ 0x80;
  const state = Array.from({ length: 25 }, (_, i) => (i * 8 < RATE ? block.readBigUInt64LE(i * 8) : 0n));
  permute(state);
  const digest = Buffer.alloc(32);
  for (let i = 0; i < 4; i++) digest.writeBigUInt64LE(state[i] ?? 0n, i * 8);
  return digest;
}
