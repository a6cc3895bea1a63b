/**
 * Turns whatever LMDB or the file system threw into `HG_STORAGE` with a sentence that says what to do. Every other
 * file of the log throws through here. Invariant: a full disk is told apart from a failing one, because the first
 * leaves the log usable and the second does not.
 */
import { statfsSync } from 'node:fs'
import { describe, HeadgateError } from '../../model/errors.ts'
import { MIB } from '../../model/units.ts'

const MDB_MAP_FULL = -30792
const MDB_INVALID = -30793
const MDB_VERSION_MISMATCH = -30794
const MDB_CORRUPTED = -30796
const MDB_DBS_FULL = -30791
const MDB_READERS_FULL = -30790

/** LMDB reports numbers of the operating system, Node.js reports names. */
const FULL = new Set<unknown>([28, 27, 122, 69, MDB_MAP_FULL, 'ENOSPC', 'EFBIG', 'EDQUOT'])
const DENIED = new Set<unknown>([13, 1, 'EACCES', 'EPERM'])
const READ_ONLY = new Set<unknown>([30, 'EROFS'])
const NO_DIRECTORY = new Set<unknown>([20, 'ENOTDIR', 'EEXIST'])
const TOO_MANY_FILES = new Set<unknown>([24, 23, 'EMFILE', 'ENFILE'])
const NOT_A_LOG = new Set<unknown>([MDB_INVALID, MDB_VERSION_MISMATCH, MDB_CORRUPTED])

function codeOf(thrown: unknown): unknown {
  return (thrown as { code?: unknown } | null)?.code
}

/** True when `thrown`, or what caused it, says that there is no room left: the log itself is unharmed. */
export function isDiskFull(thrown: unknown): boolean {
  for (let error = thrown, depth = 0; error instanceof Error && depth < 4; error = error.cause, depth += 1) {
    if (FULL.has(codeOf(error))) return true
  }
  return false
}

/**
 * LMDB calls a write that the file system cut short an input/output error, and that is how a disk fills up. This tells
 * the two apart by the room that is left: an error to use instead, or null when it was a true one.
 */
export function shortWrite(thrown: unknown, directory: string, bytes: number): Error | null {
  if (codeOf(thrown) !== 5) return null
  const { bavail, bsize } = statfsSync(directory)
  if (bavail * bsize > bytes + MIB) return null
  return Object.assign(new Error('no space left on the disk', { cause: thrown }), { code: 'ENOSPC' })
}

/** `HG_STORAGE` for what happened to the log in `directory` while it was `doing` something. */
export function storageError(directory: string, doing: string, thrown: unknown): HeadgateError {
  if (thrown instanceof HeadgateError) return thrown
  const advice = adviceFor(directory, codeOf(thrown))
  return new HeadgateError('HG_STORAGE', `${doing} failed: ${describe(thrown)}. ${advice}`, { cause: thrown })
}

function adviceFor(directory: string, code: unknown): string {
  if (FULL.has(code)) {
    return `The disk that holds the log at ${directory} is full: free space, or delete old records with log.trim. Nothing acknowledged is lost, and the log goes on once there is room`
  }
  if (DENIED.has(code)) return `This user may not read and write ${directory}: grant both, or choose another directory`
  if (READ_ONLY.has(code)) return `${directory} is on a read-only file system: choose a directory that can be written`
  if (NO_DIRECTORY.has(code)) return `${directory} must be a directory, or a path where one can be made`
  if (TOO_MANY_FILES.has(code)) return 'Too many files are open: raise the limit (ulimit -n)'
  if (NOT_A_LOG.has(code)) {
    return `${directory} holds a data.mdb that is no log, or a damaged one: choose another directory, or restore it from a backup`
  }
  if (code === MDB_DBS_FULL) return 'The log holds all the partitions it can: use fewer, or a second directory'
  if (code === MDB_READERS_FULL) return 'Too many processes read this log at once: stop some'
  return `Check the disk that holds ${directory}, then open the log again`
}
