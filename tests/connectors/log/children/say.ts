/** How a child tells its test what happened: a line of JSON, written at once, so that it survives the child's end. */
import { writeSync } from 'node:fs'

export function say(line: object): void {
  writeSync(1, `${JSON.stringify(line)}\n`)
}
