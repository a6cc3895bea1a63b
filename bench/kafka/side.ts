/**
 * Runs one side of a measurement as a process of its own and reads its report. Sides on Node.js are compiled first,
 * the Parallel Consumer is fetched with Maven and compiled with javac, each once and kept. Every process is ended by
 * its own id.
 */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Missing } from '../harness.ts'
import type { SideReport, SideSpec } from './sides/spec.ts'

const path = (relative: string): string => fileURLToPath(new URL(relative, import.meta.url))

export const DIST = path('../../dist')
const BUILT = path('../node_modules/.kafka-sides')
export const SIDES_MAIN = `${BUILT}/main.js`
const JAVA = path('./parallel-consumer')
const LIMIT_MS = 3 * 60_000
/** What the Parallel Consumer keeps in flight is bounded by itself; more heap makes it no faster. */
const JAVA_HEAP = '-Xmx512m'

export const PARALLEL_CONSUMER = 'parallel-consumer'

/** Compiles the sides that run on Node.js; a second is nothing beside the measurements. */
export function compileSides(): void {
  const tsc = path('../../node_modules/typescript/bin/tsc')
  const { status, stdout } = spawnSync(process.execPath, [tsc, '-p', path('./tsconfig.sides.json')])
  if (status !== 0) throw new Error(`the sides do not compile:\n${stdout}`)
}

/** Fetches and compiles the Parallel Consumer's side unless it is there; throws `Missing` without Java or Maven. */
export function prepareParallelConsumer(): void {
  const source = `${JAVA}/ParallelConsumerSide.java`
  const compiled = `${JAVA}/target/ParallelConsumerSide.class`
  if (existsSync(compiled) && statSync(compiled).mtimeMs > statSync(source).mtimeMs) return
  const libraries = ['-B', '-q', 'dependency:copy-dependencies', '-DoutputDirectory=target/libs']
  run('mvn', [...libraries, '-DincludeScope=runtime'])
  run('javac', ['-cp', 'target/libs/*', '-d', 'target', source])
}

function run(command: string, args: readonly string[]): void {
  const { status, error, stderr } = spawnSync(command, args, { cwd: JAVA, encoding: 'utf8' })
  if (error !== undefined) throw new Missing(`${command} is not installed; apt-get install maven default-jdk-headless`)
  if (status !== 0) throw new Missing(`${command} ${args.join(' ')} failed: ${stderr.trim()}`)
}

export function runSide(spec: SideSpec): Promise<SideReport> {
  if (spec.side !== PARALLEL_CONSUMER) return report(process.execPath, [SIDES_MAIN, JSON.stringify(spec)])
  prepareParallelConsumer()
  const { broker, topic, group, records, concurrency = 1, tail = false } = spec
  const classes = `${JAVA}/target:${JAVA}/target/libs/*`
  const args = [broker, topic, group, records, concurrency, tail].map(String)
  return report('java', [JAVA_HEAP, '-cp', classes, 'ParallelConsumerSide', ...args])
}

function report(command: string, args: readonly string[]): Promise<SideReport> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    let said = ''
    let failed = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (failed = (failed + text).slice(-4_000)))
    const limit = setTimeout(() => {
      failed += `\ntook longer than ${LIMIT_MS / 60_000} minutes`
      child.kill('SIGKILL')
    }, LIMIT_MS)
    child.once('error', reject)
    child.once('close', (code, signal) => {
      clearTimeout(limit)
      const line = said.trim().split('\n').at(-1) ?? ''
      if (code === 0 && line.startsWith('{')) resolve(JSON.parse(line) as SideReport)
      else reject(new Error(`ended with ${signal ?? code}: ${sentenceOf(failed)}`))
    })
  })
}

/** What a process said of its failure, without the stack. */
export function sentenceOf(said: string): string {
  const lines = said.trim().split('\n')
  return (lines.find((line) => /Error|Exception/.test(line)) ?? lines.at(-1) ?? '').trim()
}
