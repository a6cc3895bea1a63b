/**
 * The commands of `headgate dead-letter`: their options, examples, and the lazy import of what each does. Both take the
 * same place and the same filters, so that `list` shows what `replay` would send.
 */
import { type Command, InvalidArgumentError, Option } from 'commander'
import { positiveCount } from '../values.ts'
import { moment } from './filter.ts'
import type { ListOptions } from './list.ts'
import type { ReplayOptions } from './replay.ts'

export function addDeadLetterCommands(program: Command, finish: (exitCode: number) => void): void {
  const deadLetter = program
    .command('dead-letter')
    .description('Look at the records that could not be completed, and send them again.')
    .addHelpText('after', EXAMPLES)
    .helpCommand(false)

  leaf(deadLetter, 'list', 'List dead letters, the oldest first, with stage and reason.')
    .option('--json', 'one JSON object a letter, with its value and headers')
    .addHelpText('after', LIST_EXAMPLES)
    .action(async (options: ListOptions) => (await import('./list.ts')).list(options))

  leaf(deadLetter, 'replay', 'Send the records of dead letters back to where they came from.')
    .option('--to <topic>', 'send them to this topic instead')
    .addOption(
      new Option('--rate <n>', 'at most so many records a second (default: no limit)').argParser(positiveCount),
    )
    .option('--dry-run', 'say what would be sent, and send nothing')
    .option('--json', 'the outcome as one JSON object')
    .addHelpText('after', REPLAY_EXAMPLES)
    .action(async (options: ReplayOptions) => finish(await (await import('./replay.ts')).replay(options)))
}

function leaf(parent: Command, name: string, description: string): Command {
  return parent
    .command(name)
    .description(description)
    .requiredOption('--topic <topic>', 'the topic of the dead letters')
    .option('--log <dir>', 'it is in the embedded log in this directory')
    .addOption(new Option('--kafka <brokers>', 'it is in Kafka: host:port, several with commas').argParser(brokers))
    .option('--kafka-options <file>', 'JSON with tls, sasl and other connection options of kafka.source')
    .option('--stage <name>', 'only what failed in this stage')
    .option('--code <code>', 'only what failed with this code, for example HG_TIMEOUT')
    .option('--key <key>', 'only records with this key')
    .addOption(new Option('--since <time>', 'only what failed since: 2h (ago) or 2026-01-31T10:00:00Z').argParser(at))
    .addOption(new Option('--until <time>', 'only what failed before').argParser(at))
    .addOption(new Option('--limit <n>', 'stop after so many letters').argParser(positiveCount))
    .option('--verbose', 'print stack traces with errors')
}

function at(text: string): number {
  return moment(text)
}

function brokers(text: string): string[] {
  const all = text.split(',').map((one) => one.trim())
  const wrong = all.find((one) => !/^.+:\d+$/.test(one))
  if (wrong === undefined) return all
  throw new InvalidArgumentError(`'${wrong}' is not a broker: use host:port, for example kafka-1:9092.`)
}

const EXAMPLES = `
Examples:
  headgate dead-letter list --log ./data --topic payments.dead
  headgate dead-letter replay --kafka kafka-1:9092 --topic payments.dead --code HG_TIMEOUT --since 2h --rate 100
`

const LIST_EXAMPLES = `
Examples:
  headgate dead-letter list --log ./data --topic payments.dead --stage fraud --since 1d
  headgate dead-letter list --kafka kafka-1:9092 --topic payments.dead --json | jq .reason
`

const REPLAY_EXAMPLES = `
Dead letters stay where they are: replaying twice sends twice. Narrow it down with --since, and look first:
  headgate dead-letter replay --log ./data --topic payments.dead --stage fraud --dry-run
  headgate dead-letter replay --log ./data --topic payments.dead --stage fraud --rate 100
  headgate dead-letter replay --kafka kafka-1:9092 --topic payments.dead --key account-7 --to payments.repaired

Exit codes:
  0    all of them were replayed
  1    it failed or was interrupted, or some cannot be replayed; what was replayed is said
  2    a wrong option, or a topic that is not there
`
