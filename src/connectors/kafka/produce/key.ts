/** How the text of a key becomes bytes: the other way round of what the source does to make text of it. */

/** As `keyEncoding` of the source. */
export type KeyEncoding = 'utf8' | 'hex' | 'base64'

export function keyBytes(key: string | null, encoding: KeyEncoding): Uint8Array | null {
  return key === null ? null : Buffer.from(key, encoding)
}
