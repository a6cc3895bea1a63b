/**
 * What has to be sure before LMDB touches a directory: that it is there, and that its `data.mdb` is one of LMDB's.
 * `store.ts` calls it. Invariant: LMDB is never handed a foreign file, since it does not survive one: it would take
 * the whole process down.
 */
import { closeSync, mkdirSync, openSync, readSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { HeadgateError } from '../../model/errors.ts'

const MAGIC = 0xbeefc0de
/** Where LMDB's first meta page, after the page's own header, holds the magic number and the page size. */
const MAGIC_AT = 24
const PAGE_SIZE_AT = 48

/** Makes `directory` and those above it. (`mkdir` with `recursive` never returns below `/proc` on Node.js 20.) */
export function makeDirectory(directory: string): void {
  try {
    mkdirSync(directory)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST' && statSync(directory).isDirectory()) return
    if (code !== 'ENOENT' || dirname(directory) === directory || exists(dirname(directory))) throw error
    makeDirectory(dirname(directory))
    mkdirSync(directory)
  }
}

/** Throws `HG_STORAGE` when `directory` holds a `data.mdb` that LMDB did not write. */
export function checkDataFile(directory: string): void {
  const path = join(directory, 'data.mdb')
  if (!exists(path)) return
  const { size } = statSync(path)
  if (size === 0) return // a process was stopped right after it made the file
  const file = openSync(path, 'r')
  try {
    const pageSize = numberAt(file, PAGE_SIZE_AT)
    const isSound = numberAt(file, MAGIC_AT) === MAGIC && numberAt(file, pageSize + MAGIC_AT) === MAGIC
    if (isSound && size >= 2 * pageSize) return
  } finally {
    closeSync(file)
  }
  throw new HeadgateError(
    'HG_STORAGE',
    `${directory} holds a data.mdb that is no log, or one cut off at its start: choose another directory, or restore it from a backup`,
  )
}

function numberAt(file: number, position: number): number {
  const bytes = Buffer.alloc(4)
  return readSync(file, bytes, 0, 4, position) === 4 ? bytes.readUInt32LE(0) : 0
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined
}
