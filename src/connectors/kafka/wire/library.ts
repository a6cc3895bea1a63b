/**
 * Loads `@platformatic/kafka` for the adapter: its connections, requests and compressions, without its clients, whose
 * checks of options are compiled when they are loaded and cost some 25 MiB and a second. Where the library's files lie
 * otherwise (another version, a bundle) all of it is loaded by its name. Invariant: what comes back has all that the
 * adapter needs, or the import's own error is thrown.
 */
import type * as Library from '@platformatic/kafka'

export const PEER = '@platformatic/kafka'

export type Module = typeof Library

const PARTS = ['./apis/index.js', './protocol/index.js', './network/connection.js']
/** One name out of each part, and those beside the requests. */
const NEEDED = ['createAPI', 'fetchV17', 'Writer', 'crc32c', 'compressionsAlgorithms', 'Connection']

/** Rejects as `import('@platformatic/kafka')` does. */
export async function loadLibrary(): Promise<Module> {
  return (await loadParts()) ?? import('@platformatic/kafka')
}

async function loadParts(): Promise<Module | null> {
  try {
    const entry = import.meta.resolve(PEER)
    const parts = await Promise.all(PARTS.map((part) => import(new URL(part, entry).href) as Promise<object>))
    const library: object = Object.assign({}, ...parts)
    return NEEDED.every((name) => name in library) ? (library as Module) : null
  } catch {
    return null
  }
}
