/**
 * Checks the paths of the file connectors and names their errors. Every message says which file it is about and,
 * where somebody can do something, what.
 */
import { describe, HeadgateError } from '../../model/errors.ts'
import type { OptionCheck } from '../../model/option.ts'

/** Returns the option, or throws when it is not a text that can name a file. */
export function pathOption<O extends object>(check: OptionCheck<O>, name: keyof O & string, value: unknown): string {
  if (typeof value === 'string' && value !== '' && !value.includes('\0')) return value
  throw check.refusal(name, 'the path of a file')
}

const HINTS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or directory: check the path, which is relative to the working directory',
  EACCES: 'permission denied: check who may read and write it',
  EPERM: 'it may not be changed: check who may read and write it',
  EISDIR: 'it is a directory, and a file is needed',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full: free some space',
  EDQUOT: 'the disk quota is used up: free some space',
  EMFILE: 'too many files are open: raise the limit (ulimit -n)',
  EIO: 'the device reported an error: check the disk before trusting it again',
  EPIPE: 'whoever was reading it has gone',
}

/** `HG_STORAGE` for an error of the file system: what was tried, on which path, and what can be done. */
export function storageError(action: string, path: string, cause: unknown): HeadgateError {
  if (cause instanceof HeadgateError) return cause
  const code = errorCode(cause)
  const hint = code === undefined ? describe(cause) : `${HINTS[code] ?? describe(cause)} (${code})`
  return new HeadgateError('HG_STORAGE', `cannot ${action} ${path}: ${hint}`, { cause })
}

export function errorCode(cause: unknown): string | undefined {
  const code = (cause as { code?: unknown } | null)?.code
  return typeof code === 'string' ? code : undefined
}
