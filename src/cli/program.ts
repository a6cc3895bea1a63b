/**
 * The commands and their options, and nothing else: what a command does is imported when it is called, so that
 * `--help` and a mistyped option answer at once. `runProgram` is called by main and by tests; it resolves with the
 * exit code and throws what main explains.
 */
import { readFileSync } from 'node:fs'
import { Command, CommanderError, Option } from 'commander'
import { addDeadLetterCommands } from './dead-letter/commands.ts'
import { addDoctorCommand } from './doctor/command.ts'
import { EXIT } from './failure.ts'
import { addLogCommands } from './log/commands.ts'
import type { RunOptions } from './run/run.ts'
import { deadline, positiveCount, timerDuration } from './values.ts'

const EXIT_CODES = `
Exit codes:
  0    finished, or drained within the deadline
  1    the pipeline failed
  2    a wrong option, a file that is not a pipeline, or a pipeline that was declared wrongly
  3    the drain deadline passed and records were returned uncommitted
  130  a second SIGINT (143: SIGTERM, 129: SIGHUP) ended it at once
`

const RUN_EXAMPLES = `
Examples:
  headgate run pipeline.ts                            live view on a terminal, log lines elsewhere
  headgate run pipeline.ts --for 40s --report out.json   a measured run
  headgate run pipeline.ts --console                  the console, a web page, beside it
  headgate run pipeline.ts --plain --interval 1s      a log line each second, also on a terminal
  headgate run pipeline.ts --log-format json --drain 55s   in a container with a 60 s grace period
`

export function createProgram(finish: (exitCode: number) => void): Command {
  const program = new Command('headgate')
    .description('Flow-controlled stream processing: pulls from a broker only what the pipeline can finish.')
    .version(version(), '-V, --version', 'print the version')
    .option('--verbose', 'print stack traces with errors')
    .helpOption('-h, --help', 'print this help')
    .configureHelp({ showGlobalOptions: false })
    .addHelpText('after', `\nStart with: headgate run --help\n${EXIT_CODES}`)

  program
    .command('run')
    .description(
      'Run the pipeline that FILE exports by default (TypeScript or JavaScript), until its sources end or it is told to stop.',
    )
    .argument('<file>', 'the pipeline file')
    .addOption(
      new Option('--for <duration>', 'run this long, then drain; for example 40s or 1m30s').argParser(timerDuration),
    )
    .option('--report <file>', 'write the final status as JSON, also when the pipeline failed')
    .option('--limits <file>', 'keep what adaptive limits learn in this file, and begin with it')
    .addOption(
      new Option(
        '--drain <duration>',
        "how long a drain may take before the rest is returned uncommitted (default: the pipeline's drainMs, 25s)",
      ).argParser(deadline),
    )
    .option(
      '--console [where]',
      'serve the console: [HOST:]PORT (default: 127.0.0.1:7207, or a free port); HEADGATE_CONSOLE_TOKEN sets its token',
    )
    .addOption(
      new Option(
        '--console-host <name>',
        'a name that the console may be called by, such as that of a proxy; repeatable',
      ).argParser((name: string, names: readonly string[] | undefined) => [...(names ?? []), name]),
    )
    .option('--console-open-metrics', '/metrics and /autoscale without the token')
    .addOption(
      new Option(
        '--replicas <count>',
        'processes that run this pipeline, for /autoscale, where the source cannot tell (Kafka groups and the log can)',
      ).argParser(positiveCount),
    )
    .addOption(
      new Option('--max-replicas <count>', 'the most processes that /autoscale may ask for (default: 10)').argParser(
        positiveCount,
      ),
    )
    .option('--plain', 'log lines instead of the live view')
    .addOption(new Option('--no-tty', 'the same as --plain'))
    .addOption(
      new Option('--interval <duration>', 'time between status log lines')
        .default(5_000, '5s')
        .argParser(timerDuration),
    )
    .addOption(
      new Option('--log-level <level>', 'least severe log line shown')
        .choices(['debug', 'info', 'warn', 'error', 'silent'])
        .default('info'),
    )
    .addOption(
      new Option('--log-format <format>', 'how log lines are written').choices(['text', 'json']).default('text'),
    )
    .option('--verbose', 'print stack traces with errors')
    .addHelpText('after', RUN_EXAMPLES + EXIT_CODES)
    .action(async (file: string, options: RunOptions) => {
      const { run } = await import('./run/run.ts')
      finish(await run(file, options))
    })

  addDoctorCommand(program, finish)
  addLogCommands(program)
  addDeadLetterCommands(program, finish)
  return program
}

/** Runs one command line (without `node` and the script) and resolves with its exit code. */
export async function runProgram(argv: readonly string[]): Promise<number> {
  let exitCode: number = EXIT.done
  const program = createProgram((code) => {
    exitCode = code
  })
  eachCommand(program, (command) =>
    command.exitOverride().showHelpAfterError(`(headgate ${path(command)}--help shows every option)`),
  )
  try {
    await program.parseAsync(argv, { from: 'user' })
    return exitCode
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    return error.code === 'commander.helpDisplayed' || error.code === 'commander.version' ? EXIT.done : EXIT.usage
  }
}

function eachCommand(command: Command, visit: (command: Command) => void): void {
  visit(command)
  for (const child of command.commands) eachCommand(child, visit)
}

function path(command: Command): string {
  return command.parent ? `${path(command.parent)}${command.name()} ` : ''
}

function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}
