/**
 * The commands of `headgate log`, which look into an embedded log and change it: their options, examples, and the lazy
 * import of what each does. Offsets are those of a partition, so options that name one need `--partition` when the
 * topic has several.
 */
import { type Command, Option } from 'commander'
import { byteSize, duration, offset, positiveCount, start } from '../values.ts'
import type { AppendOptions } from './append.ts'
import type { GroupsOptions } from './groups.ts'
import type { ListOptions } from './list.ts'
import type { TailOptions } from './tail.ts'
import type { TrimOptions } from './trim.ts'

export function addLogCommands(program: Command): void {
  const log = program
    .command('log')
    .description('Look into an embedded log, fill it, move its groups, and trim it.')
    .addHelpText('after', LOG_EXAMPLES)
    .helpCommand(false)

  leaf(log, 'list', 'List topics: partitions, records, bytes, age of the oldest record.')
    .option('--json', 'one JSON object a topic')
    .action(async (options: ListOptions) => (await import('./list.ts')).list(options))

  leaf(log, 'append', 'Append records from newline-delimited JSON (a file, or - for standard input).')
    .argument('<topic>', 'created when it is not there')
    .argument('[file]', 'newline-delimited JSON, one value a line', '-')
    .option('--key <field>', 'the field whose value is the ordering key; dots reach into objects')
    .addOption(
      new Option('--partitions <n>', 'partitions of a topic that is created (default: 8)').argParser(positiveCount),
    )
    .addHelpText('after', APPEND_EXAMPLES)
    .action(async (topic: string, file: string, options: AppendOptions) =>
      (await import('./append.ts')).append(topic, file, options),
    )

  leaf(log, 'tail', 'Print records, the oldest first.')
    .argument('<topic>', 'the topic')
    .addOption(
      new Option('--from <place>', 'earliest, latest, or an offset of each partition')
        .argParser(start)
        .default('latest' as const, 'the last 10 of each partition; latest with --follow'),
    )
    .addOption(new Option('--partition <n>', 'only this partition').argParser(offset))
    .option('--follow', 'go on with records as they are appended, until interrupted')
    .option('--json', 'one JSON object a record, with partition, offset, key and timestamp')
    .addOption(new Option('--limit <n>', 'stop after this many records').argParser(positiveCount))
    .addHelpText('after', TAIL_EXAMPLES)
    .action(async (topic: string, options: TailOptions, command: Command) => {
      const given = command.getOptionValueSource('from') === 'cli'
      await (await import('./tail.ts')).tail(topic, { ...options, from: given ? options.from : undefined })
    })

  leaf(log, 'groups', 'Show how far each consumer group is: lag in records and in time; or move one.')
    .option('--group <name>', 'only this group')
    .option('--topic <name>', 'only this topic')
    .addOption(new Option('--reset <place>', 'move the group to earliest, latest or an offset').argParser(start))
    .addOption(new Option('--partition <n>', 'with --reset: only this partition').argParser(offset))
    .option('--json', 'one JSON object a partition')
    .addHelpText('after', GROUPS_EXAMPLES)
    .action(async (options: GroupsOptions) => (await import('./groups.ts')).groups(options))

  leaf(log, 'trim', 'Delete the oldest records of a topic, whole batches at a time.')
    .argument('<topic>', 'the topic')
    .addOption(new Option('--before-offset <n>', 'records below this offset of each partition').argParser(offset))
    .addOption(new Option('--older-than <duration>', 'records older than this; for example 24h').argParser(duration))
    .addOption(new Option('--bytes <size>', 'the oldest, until the topic is at most this large').argParser(byteSize))
    .addHelpText('after', TRIM_EXAMPLES)
    .action(async (topic: string, options: TrimOptions) => (await import('./trim.ts')).trim(topic, options))
}

function leaf(log: Command, name: string, description: string): Command {
  return log
    .command(name)
    .description(description)
    .requiredOption('--path <dir>', 'the directory of the log')
    .option('--verbose', 'print stack traces with errors')
}

const LOG_EXAMPLES = `
Examples:
  headgate log list --path ./data
  headgate log tail payments --path ./data --follow
  headgate log groups --path ./data
`

const APPEND_EXAMPLES = `
Examples:
  headgate log append payments payments.ndjson --path ./data --key accountId --partitions 8
  zcat payments.gz | headgate log append payments - --path ./data --key account.id
`

const TAIL_EXAMPLES = `
Examples:
  headgate log tail payments --path ./data                        the last 10 of each partition
  headgate log tail payments --path ./data --from earliest --limit 5
  headgate log tail payments.dead --path ./data --follow --json | jq .value.reason
`

const GROUPS_EXAMPLES = `
Examples:
  headgate log groups --path ./data
  headgate log groups --path ./data --group enrichers --topic payments --reset earliest
`

const TRIM_EXAMPLES = `
Examples:
  headgate log trim payments --path ./data --older-than 24h
  headgate log trim payments --path ./data --bytes 2GiB
`
