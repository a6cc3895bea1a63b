/**
 * The file of `--limits`: what the adaptive limiters had found, so that a restart does not begin at 1. It is read with
 * suspicion, since a file that is torn, foreign or old must not keep a pipeline from starting, and written every half
 * minute, so that a crash loses little.
 */
import { readFileSync } from 'node:fs'
import { describe } from '../../model/errors.ts'
import type { Logger } from '../../model/logger.ts'
import { writeJson } from '../json-file.ts'
import type { StartedPipeline } from './contract.ts'

const SAVE_EVERY_MS = 30_000
const WHAT = 'the learned limits'

type Learned = ReturnType<StartedPipeline['learned']>

/** What the file holds; undefined when it is not there yet or cannot be used. */
export function readLimits(path: string, log: Logger): Learned | undefined {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') log.warn({ path }, `limits not read: ${describe(error)}`)
    return undefined
  }
  try {
    const { version, limits } = JSON.parse(text) as { version?: unknown; limits?: unknown }
    if (version === 1 && typeof limits === 'object' && limits !== null) return limits as Learned
    log.warn({ path }, 'the limits were written by a different version and are ignored; adaptive limits begin anew')
  } catch (error) {
    log.warn({ path }, `the limits are no JSON and are ignored; adaptive limits begin anew (${describe(error)})`)
  }
  return undefined
}

export function saveLimits(path: string, running: StartedPipeline): void {
  writeJson(WHAT, path, { version: 1, limits: running.learned() })
}

/** Saves from time to time until the function that it returns is called. */
export function saveLimitsRegularly(path: string, running: StartedPipeline, log: Logger): () => void {
  const saving = setInterval(() => {
    try {
      saveLimits(path, running)
    } catch (error) {
      log.warn({ path }, describe(error))
    }
  }, SAVE_EVERY_MS)
  saving.unref()
  return () => clearInterval(saving)
}
