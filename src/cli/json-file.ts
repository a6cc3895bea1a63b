/**
 * JSON files that are written in one step (a file beside it, then a rename), so that a reader finds the old one or the
 * new one and never half of one. Synchronous, because a second signal leaves no time.
 */
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { describe } from '../model/errors.ts'
import { CliFailure, EXIT } from './failure.ts'

/** Makes the folder and tries to write there, before the run: what cannot be written should not be learned of at its end. */
export function prepareJson(what: string, file: string): string {
  const path = resolve(file)
  try {
    makeFolder(dirname(path))
    closeSync(openSync(partial(path), 'w'))
    rmSync(partial(path))
  } catch (error) {
    throw new CliFailure(`${what} cannot be written to ${file}: ${describe(error)}`, {
      advice: 'Name a file in a folder that this user may write to.',
      cause: error,
    })
  }
  return path
}

/** With those above it, one by one: `mkdirSync` with `recursive` never returns below `/proc` on Node.js 20. */
function makeFolder(folder: string): void {
  if (existsSync(folder)) return
  makeFolder(dirname(folder))
  try {
    mkdirSync(folder)
  } catch (error) {
    // Another process may have made it in the meantime.
    if (existsSync(folder)) return
    throw new Error(`the folder ${folder} cannot be made (${describe(error)})`, { cause: error })
  }
}

export function writeJson(what: string, path: string, value: unknown): void {
  try {
    const file = openSync(partial(path), 'w')
    try {
      writeSync(file, `${JSON.stringify(value, null, 2)}\n`)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    renameSync(partial(path), path)
  } catch (error) {
    rmSync(partial(path), { force: true })
    throw new CliFailure(`${what} could not be written to ${path}: ${describe(error)}`, {
      exitCode: EXIT.failed,
      cause: error,
    })
  }
}

function partial(path: string): string {
  return `${path}.${process.pid}.partial`
}
