/** Starts the programs in `children/` as processes of their own and collects what they say. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterThis } from './fresh-log.ts'

export type Line = Record<string, unknown>

export interface Child {
  readonly process: ChildProcess
  readonly lines: Line[]
  /** Resolves with the first line, said before or later, that has this field. */
  said(field: string): Promise<Line>
  /** Resolves when the process has ended and all it said has been read. */
  readonly ended: Promise<{ code: number | null; signal: string | null; errors: string }>
}

/** `shell` goes before the program: a limit to set, say. */
export function start(program: string, args: readonly (string | number)[], shell = ''): Child {
  const path = fileURLToPath(new URL(`./children/${program}.ts`, import.meta.url))
  const command = [process.execPath, '--import', 'tsx', path, ...args.map(String)]
  const spawned = shell
    ? spawn('sh', ['-c', `${shell}; exec "$@"`, 'sh', ...command], { stdio: ['ignore', 'pipe', 'pipe'] })
    : spawn(command[0] as string, command.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] })
  afterThis(() => spawned.kill('SIGKILL'))
  const lines: Line[] = []
  const waiting = new Set<() => void>()
  const reader = createInterface({ input: spawned.stdout })
  reader.on('line', (line) => {
    lines.push(JSON.parse(line) as Line)
    for (const wake of waiting) wake()
  })
  let errors = ''
  spawned.stderr.on('data', (data: Buffer) => {
    errors += data.toString()
  })
  const ended = Promise.all([
    new Promise((resolve) => reader.once('close', resolve)),
    new Promise<{ code: number | null; signal: string | null }>((resolve) => {
      spawned.once('close', (code, signal) => resolve({ code, signal }))
    }),
  ]).then(([, end]) => ({ ...end, errors }))
  const said = (field: string): Promise<Line> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const line = lines.find((each) => field in each)
        if (!line) return
        waiting.delete(look)
        resolve(line)
      }
      waiting.add(look)
      look()
      void ended.then(() => {
        look()
        if (waiting.delete(look)) reject(new Error(`the child ended without saying '${field}': ${errors}`))
      })
    })
  return { process: spawned, lines, said, ended }
}
