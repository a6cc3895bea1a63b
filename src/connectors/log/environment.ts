/**
 * The one door to LMDB: opens an environment, and says with types of the log's own what the room uses of it, so that
 * no declaration of the package leads a user's compiler into those of lmdb. `store.ts` opens it. Invariant: no other
 * file imports lmdb.
 */
import { open } from 'lmdb'

/** Partitions of all topics together, and the few databases of the log's own. */
const MAX_DATABASES = 2_048

export type StoredKey = number | string | (number | string)[]

export interface Scan {
  readonly start?: StoredKey
  readonly reverse?: boolean
  readonly limit?: number
}

/** A database: bytes under ordered keys. What is read is a copy, of which LMDB knows nothing any more. */
export interface Bytes {
  get(key: StoredKey): Uint8Array | undefined
  /** Into memory that the next read overwrites. Its `length` is the value's, whatever lies behind. */
  getBinaryFast(key: StoredKey): Uint8Array | undefined
  getKeys(scan?: Scan): Iterable<StoredKey>
  getRange(scan?: Scan): Iterable<{ readonly key: StoredKey; readonly value: Uint8Array }>
  /** Only inside a transaction, or while the log is being opened. */
  putSync(key: StoredKey, value: Uint8Array): void
  removeSync(key: StoredKey): void
}

export interface Environment {
  /** Opens the database `name`, which is made when it is missing. */
  openDB(options: { readonly name: string; readonly encoding: 'binary' }): Bytes
  /** Runs `work` in a write transaction that is undone when it throws; resolves once it is on the disk. */
  childTransaction<T>(work: () => T): Promise<T>
  transactionSync(work: () => void): void
  /** Frees the slots of readers whose process has ended. */
  readerCheck(): number
  /** Lets later reads see what was committed meanwhile. */
  resetReadTxn(): void
  close(): Promise<void>
}

/** Opens `directory`, which must be there. Throws LMDB's own errors. */
export function openEnvironment(directory: string): Environment {
  return open<Uint8Array, StoredKey>({
    path: directory,
    noSubdir: false,
    encoding: 'binary',
    maxDbs: MAX_DATABASES,
    overlappingSync: false,
    // With it, each failed commit would leave a rejected promise inside lmdb that nobody could handle.
    eventTurnBatching: false,
  })
}

/** As `get`, which fills the memory for a large value with zeros before it copies the value into it. */
export function getLarge(bytes: Bytes, key: StoredKey): Buffer | undefined {
  const passing = bytes.getBinaryFast(key)
  if (!passing) return undefined
  const value = Buffer.allocUnsafeSlow(passing.length)
  value.set(passing.subarray(0, passing.length))
  return value
}
