/**
 * Partition of a key: FNV-1a over its UTF-16 code units, mixed, modulo. Stable for ever: a change would let two records of one
 * key land in different partitions and lose their order.
 */
export function partitionOfKey(key: string, partitions: number): number {
  if (partitions === 1) return 0;
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  // murmur3's finaliser: the low bits of FNV of similar keys are alike, and the modulo takes just those.
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) % partitions;
}
