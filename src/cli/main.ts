#!/usr/bin/env node
/**
 * The `headgate` command: hands the arguments to the program, prints what went wrong in a sentence, and exits with the
 * documented code. It is the only place that ends the process by itself, apart from a second signal during a run.
 */
import { explain, verbose } from './failure.ts'
import { flush, OUTPUT } from './output.ts'
import { runProgram } from './program.ts'

/** A reader that went away (`| head`) is no failure. */
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error
  })
}

let exitCode: number
try {
  exitCode = await runProgram(process.argv.slice(2))
} catch (error) {
  const said = explain(error, verbose())
  OUTPUT.say(said.text)
  exitCode = said.exitCode
}
await flush()
process.exit(exitCode)
