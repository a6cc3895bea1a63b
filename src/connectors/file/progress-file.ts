/**
 * The sidecar file that remembers how far a file was processed. The source reads it at open and replaces it at each
 * commit. Invariant: on disk there is always one whole version of it, the old or the new one.
 */
import { createHash } from 'node:crypto'
import { open, readFile, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { HeadgateError } from '../../model/errors.ts'
import { errorCode, storageError } from './option.ts'

export interface StoredProgress {
  readonly epoch: number
  /** Byte position below which everything is done. */
  readonly nextOffset: number
  readonly doneAhead: Uint8Array | null
  /** Hash of the first bytes of the file that it belongs to. */
  readonly head: string
}

/** How many bytes at the beginning of a file tell it from another one. */
const HEAD_BYTES = 1024

/** How many of the file's first bytes were certainly there when progress stood at `nextOffset`. */
export function headLength(nextOffset: number): number {
  return Math.min(nextOffset, HEAD_BYTES)
}

export function hashHead(head: Uint8Array): string {
  return createHash('sha256').update(head).digest('base64')
}

/** Null when there is no such file yet. Throws `HG_STORAGE` when it cannot be read or is damaged. */
export async function readProgress(path: string): Promise<StoredProgress | null> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    if (errorCode(cause) === 'ENOENT') return null
    throw storageError('read the progress file', path, cause)
  }
  const stored = parse(text)
  if (stored) return stored
  throw new HeadgateError(
    'HG_STORAGE',
    `the progress file ${path} is damaged or not one of Headgate's; delete it to process the input from its beginning`,
  )
}

function parse(text: string): StoredProgress | null {
  try {
    const { headgate, epoch, nextOffset, doneAhead, head } = JSON.parse(text) as Record<string, unknown>
    if (headgate !== 1 || !isCount(epoch) || !isCount(nextOffset) || typeof head !== 'string') return null
    if (doneAhead !== null && typeof doneAhead !== 'string') return null
    return { epoch, nextOffset, head, doneAhead: doneAhead === null ? null : Buffer.from(doneAhead, 'base64') }
  } catch {
    return null
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

/** Replaces the file durably: temporary file, fsync, rename, fsync of the directory. */
export async function writeProgress(path: string, progress: StoredProgress): Promise<void> {
  const { epoch, nextOffset, head } = progress
  const doneAhead = progress.doneAhead === null ? null : Buffer.from(progress.doneAhead).toString('base64')
  const text = `${JSON.stringify({ headgate: 1, epoch, nextOffset, doneAhead, head })}\n`
  const temporary = `${path}.tmp`
  try {
    const handle = await open(temporary, 'w')
    try {
      await handle.writeFile(text)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(temporary, path)
    await syncDirectory(path)
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => {})
    throw storageError('write the progress file', path, cause)
  }
}

/** Makes a file's name durable, where the platform can. */
export async function syncDirectory(path: string): Promise<void> {
  try {
    const handle = await open(dirname(path), 'r')
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  } catch (cause) {
    // Windows cannot open a directory; it orders the rename itself.
    if (errorCode(cause) !== 'EISDIR' && errorCode(cause) !== 'EPERM' && errorCode(cause) !== 'EACCES') throw cause
  }
}
