/** What `Produce.java` and `OldSegments.java` write, said again: record number `i`. */
import type { Decoded } from './codec.ts'

const textOf = (i: number): string | null => (i % 11 === 3 ? null : `value-${i}-${'äx'.repeat(i % 50)}`)

export function produced(i: number): Decoded {
  const headers: Record<string, string> = {}
  for (let h = 0; h < i % 3; h += 1) headers[`header-${h}`] = `of ${i}`
  if (i % 13 === 0) headers['none'] = ''
  return {
    offset: i,
    timestampMs: 1_700_000_000_000 + i * 1_000 - (i % 4) * 3_000,
    key: i % 5 === 0 ? null : i % 7 === 0 ? '' : `key-${i % 7}`,
    value: textOf(i),
    headers,
  }
}

export function stored(i: number, magic: number): Decoded {
  return {
    offset: i + Math.floor(i / 4),
    timestampMs: magic === 0 ? -1 : 1_500_000_000_000 + i * 1_000,
    key: i % 5 === 0 ? null : `key-${i % 7}`,
    value: textOf(i),
    headers: {},
  }
}
