/**
 * The launcher behind `npm start`: the fraud API, a burst of payments, and the pipeline with its live view and console
 * (`--no-console`: without). Its own options are in `OWN`; all others go to `headgate run`, for example `--for 40s --report report.json`. It starts a
 * killed API or pipeline again, hands signals on so that the pipeline drains, and ends with the pipeline's exit code.
 */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { appendFileSync, mkdtempSync, rmSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { durationFlag, numberFlag } from './flags.ts'
import {
  type Child,
  type Ending,
  type FraudApi,
  scriptEnvironment,
  startFraudApi,
  startGenerator,
} from './processes.ts'

/** Each takes a value. `--kafka HOST:PORT` runs the example on Kafka instead of the embedded log. */
const OWN = ['log', 'kafka', 'per-minute', 'burst-for', 'then-per-minute', 'seed', 'restart-after', 'errors'] as const
type Own = (typeof OWN)[number]

/** Splits the command line into our options and those that the CLI is to have. */
function split(argv: readonly string[]): { own: Partial<Record<Own, string>>; passed: string[] } {
  const own: Partial<Record<Own, string>> = {}
  const passed: string[] = []
  for (let index = 0; index < argv.length; index += 1) {
    const [name, inline] = argv[index]!.split(/=(.*)/s)
    const mine = OWN.find((option) => `--${option}` === name)
    if (mine === undefined) passed.push(argv[index]!)
    else own[mine] = inline ?? argv[(index += 1)] ?? ''
  }
  return { own, passed }
}

const { own, passed } = split(process.argv.slice(2))
const consoleAt = passed.some((option) => /^--(no-)?console(=|$)/.test(option)) ? [] : ['--console']
/** One for all restarts of the pipeline, so that an open page goes on. */
const consoleToken = process.env['HEADGATE_CONSOLE_TOKEN'] || randomBytes(32).toString('base64url')
const burst = {
  perMinute: numberFlag('per-minute', own['per-minute'], 100_000),
  forMs: durationFlag('burst-for', own['burst-for'], 60_000),
  thenPerMinute: numberFlag('then-per-minute', own['then-per-minute'], 6_000),
  seed: numberFlag('seed', own.seed, 1),
}
const restartAfterMs = durationFlag('restart-after', own['restart-after'], 5_000)

const workspace = mkdtempSync(join(tmpdir(), 'headgate-payments-'))
const logDirectory = own.log === undefined ? join(workspace, 'log') : resolve(own.log)
/** Where the payments are: for the generator, for the pipeline, and in words. */
const place =
  own.kafka === undefined
    ? { args: ['--path', logDirectory], env: { HEADGATE_LOG: logDirectory }, words: `log ${logDirectory}` }
    : { args: ['--kafka', own.kafka], env: { HEADGATE_KAFKA: own.kafka }, words: `Kafka at ${own.kafka}` }
const errorsTo = own.errors === undefined ? join(workspace, 'children.log') : resolve(own.errors)
const root = fileURLToPath(new URL('../../', import.meta.url))

let stopping = false
let api: FraudApi | undefined
let generator: Child | undefined
let pipeline: ReturnType<typeof spawn> | undefined

/** The pipeline prints it above its live view; without one it is printed here. */
function say(text: string): void {
  if (pipeline?.connected) pipeline.send(text, () => {})
  else process.stderr.write(`${text}\n`)
  appendFileSync(errorsTo, `${new Date().toISOString()} start: ${text}\n`)
}

const because = ({ code, signal }: Ending): string => (signal ? `killed by ${signal}` : `exit code ${code}`)

/** Keeps an API on the port of the first one until we stop. */
async function keepApiRunning(): Promise<void> {
  while (!stopping) {
    const ending = await api!.child.ended
    if (stopping) return
    say(`the fraud API is gone (${because(ending)}); starting it again in ${restartAfterMs / 1000} s`)
    await sleep(restartAfterMs, undefined, { ref: false })
    if (stopping) return
    api = await startFraudApi({ args: ['--port', String(api!.port), '--seed', String(burst.seed)], errorsTo })
    say(`the fraud API is back (pid ${api.child.pid})`)
  }
}

function runPipeline(url: string): Promise<Ending> {
  const cli = join(root, 'dist/cli/main.js')
  const script = fileURLToPath(new URL('./pipeline.ts', import.meta.url))
  const child = spawn(
    process.execPath,
    [
      ...['--import', import.meta.resolve('./notices.mjs'), cli, 'run', script, ...consoleAt],
      ...passed.filter((option) => option !== '--no-console'),
    ],
    {
      env: {
        ...{ ...scriptEnvironment(), HEADGATE_CONSOLE_TOKEN: consoleToken },
        ...{ HEADGATE_FRAUD_URL: url, ...place.env },
      },
      stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    },
  )
  say(`pipeline pid ${child.pid}, fraud API pid ${api!.child.pid}, generator pid ${generator!.pid}, ${place.words}`)
  pipeline = child
  return new Promise((settle) => {
    child.once('error', () => settle({ code: 1, signal: null }))
    child.once('exit', (code, signal) => settle({ code, signal }))
  })
}

function handOn(signal: NodeJS.Signals): void {
  stopping = true
  // Ctrl-C in a terminal has already reached the pipeline; a second one would tell it not to drain.
  if (signal === 'SIGINT' && process.stdin.isTTY) return
  pipeline?.kill(signal)
}

async function main(): Promise<number> {
  api = await startFraudApi({ args: ['--seed', String(burst.seed)], errorsTo })
  generator = await startGenerator({
    args: [
      ...[...place.args, '--per-minute', String(burst.perMinute), '--for', `${burst.forMs}ms`],
      ...['--then-per-minute', String(burst.thenPerMinute), '--seed', String(burst.seed)],
    ],
    errorsTo,
  })
  keepApiRunning().catch((error: unknown) => say(`the fraud API does not start again: ${String(error)}`))
  void generator.ended.then((ending) => stopping || say(`the generator is gone (${because(ending)})`))
  if (stopping) return 130
  let ending = await runPipeline(api.url)
  while (ending.signal === 'SIGKILL' && !stopping) {
    say(`the pipeline was killed; starting it again in 2 s, from where its last commit left off`)
    await sleep(2_000)
    if (!stopping) ending = await runPipeline(api.url)
  }
  return ending.code ?? 128 + (constants.signals[ending.signal!] ?? 0)
}

process.on('SIGINT', () => handOn('SIGINT'))
process.on('SIGTERM', () => handOn('SIGTERM'))

let exitCode = 1
try {
  exitCode = await main()
} catch (error) {
  say(error instanceof Error ? error.message : String(error))
} finally {
  stopping = true
  await Promise.all([generator?.stop(), api?.child.stop()])
}
if (exitCode === 0) {
  rmSync(workspace, { recursive: true, force: true })
} else {
  rmSync(join(workspace, 'log'), { recursive: true, force: true })
  say(`ended with exit code ${exitCode}; what the fraud API and the generator said is in ${errorsTo}`)
}
process.exitCode = exitCode
