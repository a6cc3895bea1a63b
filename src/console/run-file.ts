/**
 * How `headgate doctor` finds the consoles of this user on this machine: each console leaves a file with its address and
 * token in a folder that only this user can open, and takes it away at its end. Files whose process is gone are removed by the next
 * reader. Invariant: a folder that belongs to somebody else, or that others may open, is neither written nor believed.
 */
import { lstatSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { HeadgateError } from '../model/errors.ts'

export interface RunFile {
  readonly pid: number
  readonly pipeline: string
  readonly origin: string
  readonly token: string
  readonly startedAtMs: number
}

const schema = z.object({
  pid: z.int().positive(),
  pipeline: z.string(),
  origin: z.url({ protocol: /^http$/ }),
  token: z.string(),
  startedAtMs: z.number(),
})

/** `XDG_RUNTIME_DIR` belongs to one user by definition; elsewhere a folder of the user's own below the temporary one. */
export function runFolder(env: NodeJS.ProcessEnv = process.env): string {
  const runtime = env['XDG_RUNTIME_DIR']
  return runtime ? join(runtime, 'headgate') : join(tmpdir(), `headgate-${userInfo().username}`)
}

/** Writes the file, readable by this user alone, and returns how to take it away. Throws when the folder is not to be trusted. */
export function writeRunFile(run: RunFile, folder = runFolder()): () => void {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  checkFolder(folder)
  const path = join(folder, `${run.pid}-${new URL(run.origin).port}.json`)
  const partial = `${path}.partial`
  rmSync(partial, { force: true })
  writeFileSync(partial, JSON.stringify(run), { mode: 0o600, flag: 'wx' })
  renameSync(partial, path)
  const remove = (): void => {
    process.off('exit', remove)
    rmSync(path, { force: true })
  }
  process.once('exit', remove)
  return remove
}

/** The consoles whose process is alive, the one that started last first. */
export function readRunFiles(folder = runFolder()): RunFile[] {
  let names: string[]
  try {
    checkFolder(folder)
    names = readdirSync(folder)
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw thrown
  }
  return names
    .filter((name) => name.endsWith('.json'))
    .flatMap((name) => {
      const path = join(folder, name)
      const run = read(path)
      if (run !== null && isAlive(run.pid)) return [run]
      if (run !== null) rmSync(path, { force: true })
      return []
    })
    .toSorted((one, other) => other.startedAtMs - one.startedAtMs)
}

function read(path: string): RunFile | null {
  try {
    return schema.parse(JSON.parse(readFileSync(path, 'utf8')))
  } catch {
    return null
  }
}

/** A process of another user counts as alive: its number is taken. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function checkFolder(folder: string): void {
  const stat = lstatSync(folder)
  const mine = process.getuid === undefined || (stat.uid === process.getuid() && (stat.mode & 0o077) === 0)
  if (stat.isDirectory() && mine) return
  throw new HeadgateError(
    'HG_OPTION_INVALID',
    `the folder ${folder} is not this user's alone: remove it, or set XDG_RUNTIME_DIR to a folder with mode 0700`,
  )
}
