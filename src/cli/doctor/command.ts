/** The command `headgate doctor`: its options, examples and exit codes, and the lazy import of what it does. */
import { type Command, Option } from 'commander'
import { timerDuration } from '../values.ts'
import type { DoctorOptions } from './doctor.ts'

const HELP = `
Examples:
  headgate doctor                             the pipeline that runs on this machine with --console
  headgate doctor orders                      the one of this name, when several run
  headgate doctor --watch                     redrawn until interrupted
  headgate doctor --profile                   whose code blocks the event loop
  headgate doctor http://10.0.0.7:7207        another machine; the token comes from HEADGATE_CONSOLE_TOKEN
  headgate doctor report.json                 what \`headgate run --report\` wrote
  headgate doctor --json | jq .verdict.sentence

Exit codes:
  0    nothing needs anybody: keeping up, throttling as declared, absorbing a burst, idle, starting, paused, draining, ended
  1    the pipeline could not be asked
  2    a wrong option, no pipeline found, or several
  4    it falls behind: overload, or a limit that lets less through than arrives
  5    it does not do its work: retry storm, stalled, failed
`

export function addDoctorCommand(program: Command, finish: (exitCode: number) => void): void {
  program
    .command('doctor')
    .description('Say how a pipeline is, which stage holds it back and why, what would help, and where its work waits.')
    .argument('[target]', 'name or process id of a pipeline on this machine, address of a console, or report file')
    .option('--watch', 'go on until interrupted: redrawn on a terminal, elsewhere a line for each new verdict')
    .option('--json', 'the diagnosis as JSON; with --watch one line each time')
    .option('--profile', 'take a CPU profile of two seconds first, and say whose code it was; it costs some throughput')
    .option('--link', "print the link to the console's page, and nothing else")
    .addOption(
      new Option('--interval <duration>', 'time between looks of --watch')
        .default(1_000, '1s')
        .argParser(timerDuration),
    )
    .option('--verbose', 'print stack traces with errors')
    .addHelpText('after', HELP)
    .action(async (target: string | undefined, options: DoctorOptions) => {
      const { doctor } = await import('./doctor.ts')
      finish(await doctor(target, options))
    })
}
