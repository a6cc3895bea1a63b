/**
 * The done-ahead set as it travels in a commit's metadata, which is text: a prefix with a version, then base64. The
 * committer writes it, an assignment reads it. Invariant: what was not written by this version is recognised, and never
 * taken for progress.
 */

const PREFIX = 'hg1:'

/** How many bytes of a done-ahead set fit into metadata of `limitBytes`. */
export function usableBytes(limitBytes: number): number {
  return Math.max(0, Math.floor((limitBytes - PREFIX.length) / 4) * 3)
}

/** Empty for a commit without one. */
export function encodeMetadata(doneAhead: Uint8Array | null): string {
  if (doneAhead === null) return ''
  const bytes = Buffer.from(doneAhead.buffer, doneAhead.byteOffset, doneAhead.byteLength)
  return PREFIX + bytes.toString('base64')
}

/**
 * Marks a commit that stores no progress but where a group without any begins, so that a restart begins at the same
 * place.
 */
export const ANCHOR = PREFIX

export interface DecodedMetadata {
  readonly doneAhead: Uint8Array | null
  /** True when there is something that another program, or a newer version, has written. */
  readonly isForeign: boolean
}

const NONE: DecodedMetadata = { doneAhead: null, isForeign: false }
const FOREIGN: DecodedMetadata = { doneAhead: null, isForeign: true }

export function decodeMetadata(metadata: string | null): DecodedMetadata {
  // Confluent's client for Node.js appends a NUL to what it writes, also to nothing.
  if (metadata === null || metadata === '' || metadata === '\0' || metadata === ANCHOR) return NONE
  if (!metadata.startsWith(PREFIX)) return FOREIGN
  const text = metadata.slice(PREFIX.length)
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return FOREIGN
  return { doneAhead: new Uint8Array(Buffer.from(text, 'base64')), isForeign: false }
}
