/**
 * Newline-delimited JSON, line by line, from a file or standard input, with bounded memory. `log append` reads
 * through it. A line that is not JSON stops it with the line's number: half a file is never appended silently.
 */
import { createReadStream, existsSync, statSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { CliFailure } from '../failure.ts'

/** As some editors begin a file. */
const BYTE_ORDER_MARK = '\uFEFF'

export interface Line {
  readonly value: unknown
  /** The line as it was written, without its line break. */
  readonly text: string
  readonly number: number
  /** Share of the file that has been read, null for standard input. */
  readonly progress: number | null
}

export async function* readLines(file: string): AsyncGenerator<Line> {
  const fromInput = file === '-'
  if (fromInput && process.stdin.isTTY) {
    throw new CliFailure('there is nothing to read: standard input is the terminal', {
      advice: 'Name a file, or pipe newline-delimited JSON into the command.',
    })
  }
  if (!fromInput && !existsSync(file)) throw new CliFailure(`there is no file ${file}`)
  const size = fromInput ? null : statSync(file).size
  const input = fromInput ? process.stdin : createReadStream(file)
  let number = 0
  let read = 0
  for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
    number += 1
    read += Buffer.byteLength(line) + 1
    const text = number === 1 && line.startsWith(BYTE_ORDER_MARK) ? line.slice(1) : line
    if (text.trim() === '') continue
    yield { value: parse(text, number, file), text, number, progress: size ? Math.min(1, read / size) : null }
  }
}

function parse(text: string, number: number, file: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    const where = file === '-' ? `line ${number}` : `${file}:${number}`
    throw new CliFailure(`${where} is not JSON: ${(error as Error).message}`, {
      advice: 'Every line must be one JSON value.',
      cause: error,
    })
  }
}

/** The field that a dotted path names, as an ordering key; null when it is not there. */
export function keyOf(value: unknown, path: string): string | null {
  let found: unknown = value
  for (const name of path.split('.')) {
    if (typeof found !== 'object' || found === null) return null
    found = (found as Record<string, unknown>)[name]
  }
  if (found === undefined || found === null) return null
  return typeof found === 'string' ? found : JSON.stringify(found)
}
