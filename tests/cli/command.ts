/** Runs the built command as a child process; the integration tests of the command line share it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url))

export const fixture = (name: string): string => fileURLToPath(new URL(`./fixtures/${name}`, import.meta.url))

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Started {
  readonly child: ChildProcess
  readonly ended: Promise<Ended>
  /** Resolves when standard error has shown this; rejects when the command ends without. */
  readonly saw: (text: string | RegExp) => Promise<void>
}

export interface StartOptions {
  readonly cwd?: string
  readonly input?: string
  readonly env?: Readonly<Record<string, string>>
}

export function start(args: readonly string[], options: StartOptions = {}): Started {
  const child = spawn(process.execPath, [MAIN, ...args], {
    cwd: options.cwd,
    env: { ...process.env, FORCE_COLOR: undefined, NODE_OPTIONS: undefined, DEBUG: undefined, ...options.env },
    stdio: 'pipe',
  })
  child.stdin.end(options.input ?? '')
  let stdout = ''
  let stderr = ''
  const watchers = new Set<() => void>()
  child.stdout.on('data', (chunk) => {
    stdout += chunk
  })
  child.stderr.on('data', (chunk) => {
    stderr += chunk
    for (const watcher of watchers) watcher()
  })
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, stdout, stderr }))
  })
  return {
    child,
    ended,
    saw: (text) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (typeof text === 'string' ? stderr.includes(text) : text.test(stderr)) {
            watchers.delete(look)
            resolve()
          }
        }
        watchers.add(look)
        void ended.then(() => reject(new Error(`ended without saying ${text}:\n${stderr}`)))
        look()
      }),
  }
}

export function headgate(...args: string[]): Promise<Ended> {
  return start(args).ended
}
