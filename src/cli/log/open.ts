/**
 * Opens an embedded log for one command and closes it afterwards, whatever happens. All `log` commands go through it.
 * Opening would make a log where there is none, so a command that only looks refuses a directory without one.
 */
import { existsSync, readdirSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { type Log, openLog } from '../../connectors/log/index.ts'
import { type Logger, SILENT_LOGGER } from '../../model/logger.ts'
import { CliFailure } from '../failure.ts'
import { OUTPUT } from '../output.ts'

export interface LogOptions {
  readonly path: string
}

/** What the log mends while it is opened, a torn end say, is never mended unnoticed. */
const WARNINGS: Logger = {
  ...SILENT_LOGGER,
  warn: (_, message) => OUTPUT.say(`warning: ${message}`),
  error: (_, message) => OUTPUT.say(`error: ${message}`),
}

export async function withLog<R>({ path }: LogOptions, work: (log: Log) => R | Promise<R>, create = false): Promise<R> {
  const log = create ? await openLog(path, { logger: WARNINGS }) : await openExisting(path)
  try {
    return await work(log)
  } finally {
    await log.close()
  }
}

/** Refuses a directory that has no log. */
export async function openExisting(path: string): Promise<Log> {
  checkDirectory(path)
  return openLog(path, { logger: WARNINGS })
}

function checkDirectory(path: string): void {
  const looked = `It was looked for at ${resolve(path)}.`
  if (!existsSync(path)) throw new CliFailure(`there is no log at ${path}`, { advice: looked })
  if (!statSync(path).isDirectory()) {
    throw new CliFailure(`${path} is not a directory`, { advice: '--path names the directory that the log is in.' })
  }
  if (isEmpty(path)) throw new CliFailure(`there is no log at ${path}`, { advice: 'The directory is empty.' })
}

function isEmpty(path: string): boolean {
  try {
    return readdirSync(path).length === 0
  } catch {
    // It may not be listed: opening the log says what is wrong, and what to do.
    return false
  }
}

/** Checks a partition that was asked for, and names them all when none was. */
export function chosenPartitions(log: Log, topic: string, partition: number | undefined): readonly number[] {
  const found = log.topics().find(({ name }) => name === topic)
  if (!found) {
    const names = log.topics().map(({ name }) => name)
    throw new CliFailure(`the log has no topic '${topic}'`, {
      advice: names.length > 0 ? `It has: ${names.join(', ')}.` : 'It has no topic yet.',
    })
  }
  const all = found.partitions.map((info) => info.partition)
  if (partition === undefined) return all
  if (all.includes(partition)) return [partition]
  throw new CliFailure(`topic '${topic}' has no partition ${partition}`, { advice: `It has 0 to ${all.length - 1}.` })
}
