/**
 * Starts the scripts of this example as child processes and ends them, each by its own process id. The launcher, the
 * comparison and the tests use it. A child's standard output is lines of JSON; what it says on standard error goes to
 * a file. Children end by themselves when their parent does (`endWithParent`).
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export interface ChildOptions {
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** The file that its standard error is appended to. */
  readonly errorsTo: string
}

export interface Ending {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export class Child {
  readonly name: string
  readonly pid: number
  readonly ended: Promise<Ending>
  /** The newest line it printed, parsed; undefined before the first. */
  lastLine: unknown
  readonly #process: ChildProcess
  readonly #ready: Promise<unknown>

  constructor(name: string, process: ChildProcess) {
    this.name = name
    this.#process = process
    this.pid = process.pid ?? -1
    this.ended = new Promise((resolve) => {
      process.once('error', () => resolve({ code: 1, signal: null }))
      process.once('close', (code, signal) => resolve({ code, signal }))
    })
    this.#ready = new Promise((resolve) => {
      createInterface({ input: process.stdout! }).on('line', (line) => {
        this.lastLine = parsed(line) ?? this.lastLine
        resolve(this.lastLine)
      })
    })
  }

  get running(): boolean {
    return this.#process.exitCode === null && this.#process.signalCode === null
  }

  /** Its first line, or an error when it ends before it printed one. */
  async ready<T>(): Promise<T> {
    const ended = this.ended.then(({ code, signal }) => {
      throw new Error(`${this.name} ended before it was ready (${signal ?? `exit code ${code}`})`)
    })
    return (await Promise.race([this.#ready, ended])) as T
  }

  signal(signal: NodeJS.Signals): void {
    if (this.running) this.#process.kill(signal)
  }

  /** Asks it to end, and insists after `graceMs`. */
  async stop(graceMs = 5_000): Promise<Ending> {
    this.signal('SIGTERM')
    const insist = setTimeout(() => this.signal('SIGKILL'), graceMs)
    const ending = await this.ended
    clearTimeout(insist)
    return ending
  }
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

/** One process, not a wrapper around one: what is killed by its id is the script itself. */
export function startScript(script: string, options: ChildOptions): Child {
  const errors = openSync(options.errorsTo, 'a')
  const path = fileURLToPath(new URL(script, import.meta.url))
  const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), path, ...(options.args ?? [])], {
    env: { ...scriptEnvironment(), ...options.env },
    stdio: ['pipe', 'pipe', errors],
  })
  closeSync(errors)
  // It may end while we hold the other side of its input.
  child.stdin!.on('error', () => {})
  return new Child(script, child)
}

/** `headgate` is then the built package, as it is for its users, and not this repository's own sources. */
export function scriptEnvironment(): NodeJS.ProcessEnv {
  return { ...process.env, TSX_TSCONFIG_PATH: fileURLToPath(new URL('./tsconfig.json', import.meta.url)) }
}

export interface FraudApi {
  readonly child: Child
  readonly port: number
  readonly url: string
}

export async function startFraudApi(options: ChildOptions): Promise<FraudApi> {
  const child = startScript('./fraud-api.ts', { ...options, args: ['--child', ...(options.args ?? [])] })
  const { listening } = await child.ready<{ listening: number }>()
  return { child, port: listening, url: `http://127.0.0.1:${listening}` }
}

export async function startGenerator(options: ChildOptions): Promise<Child> {
  const child = startScript('./generate.ts', { ...options, args: ['--child', ...(options.args ?? [])] })
  await child.ready()
  return child
}
