/**
 * Which partition a record goes to: as Kafka's own producer does it, so that records of a key written by different
 * clients meet in one partition. The sink asks it. Invariant: a key and a number of partitions always give the same
 * partition.
 */

/** Murmur2 (Austin Appleby) with the seed and the byte order of Kafka's `Utils.murmur2`. */
export function murmur2(bytes: Uint8Array): number {
  const { length } = bytes
  const M = 0x5bd1e995
  let hash = 0x9747b28c ^ length
  let at = 0
  for (; at + 4 <= length; at += 4) {
    let word = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
    word = Math.imul(word, M)
    word ^= word >>> 24
    hash = Math.imul(hash, M) ^ Math.imul(word, M)
  }
  const left = length - at
  if (left >= 3) hash ^= bytes[at + 2]! << 16
  if (left >= 2) hash ^= bytes[at + 1]! << 8
  if (left >= 1) hash = Math.imul(hash ^ bytes[at]!, M)
  hash ^= hash >>> 13
  hash = Math.imul(hash, M)
  return hash ^ (hash >>> 15)
}

/** Kafka's default for a record with a key. */
export function partitionOf(key: Uint8Array, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions
}
