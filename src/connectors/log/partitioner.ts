/**
 * Chooses the partition of a record: by its key, or in turn when it has none. `append` calls it once a record.
 * Invariant: a key always goes to the same partition of a topic, in every process and version.
 */

/** FNV-1a over the key's UTF-16 code units, mixed at the end so that short keys spread (MurmurHash3's finalizer). */
export function hashKey(key: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < key.length; at += 1) {
    const unit = key.charCodeAt(at)
    hash = Math.imul(hash ^ (unit & 0xff), 0x01000193)
    if (unit > 0xff) hash = Math.imul(hash ^ (unit >>> 8), 0x01000193)
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

export function partitionOf(key: string, partitions: number): number {
  return hashKey(key) % partitions
}
