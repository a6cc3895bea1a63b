/**
 * The direction guard over the real source tree, and over small trees that each break one rule: a guard that catches
 * nothing would be as green as a clean tree, so every rule is shown to bite. What is forbidden stands in
 * `guard/rules.ts`.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { inspect, roomOf, type SourceFile, type Violation, wordsOf } from './guard/inspect.ts'
import { CLOCK_EXCEPTIONS, FLOORS, RANDOMNESS_EXCEPTIONS } from './guard/rules.ts'
import { blank, exportsOf, importsOf } from './guard/source-text.ts'

const SOURCE = fileURLToPath(new URL('../src/', import.meta.url))
const TESTS = fileURLToPath(new URL('.', import.meta.url))

function readTree(): SourceFile[] {
  return readdirSync(SOURCE, { recursive: true, encoding: 'utf8' })
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => /\.[cm]?[jt]sx?$/.test(path))
    .map((path) => ({ path, text: readFileSync(SOURCE + path, 'utf8') }))
}

const shown = (violations: readonly Violation[]): string[] =>
  violations.map(({ rule, path, line, detail }) => `src/${path}:${line} [${rule}] ${detail}`)

describe('the source tree', () => {
  const files = readTree()

  it('was really read', () => {
    expect(files.length).toBeGreaterThan(25)
    const rooms = new Set(files.map((file) => roomOf(file.path)))
    expect(['model', 'control', 'engine'].filter((room) => !rooms.has(room))).toEqual([])
    const imports = files.flatMap((file) => importsOf(file.text, blank(file.text)))
    expect(imports.filter((site) => site.specifier.startsWith('.')).length).toBeGreaterThan(30)
  })

  it('keeps its directions, sizes, purity and words', () => {
    expect(shown(inspect(files))).toEqual([])
  })

  it('has no exception for a file that does not exist', () => {
    const paths = new Set(files.map((file) => file.path))
    const listed = [...Object.keys(CLOCK_EXCEPTIONS), ...Object.keys(RANDOMNESS_EXCEPTIONS)]
    expect(listed.filter((path) => !paths.has(path))).toEqual([])
  })
})

describe('the tests', () => {
  const HOOK = /^(?:before|after)(?:Each|All)\(/m

  it('share no module with a hook at its top, which only the first file of a worker would get', () => {
    const modules = readdirSync(TESTS, { recursive: true, encoding: 'utf8' })
      .map((path) => path.replaceAll('\\', '/'))
      .filter((path) => /\.tsx?$/.test(path))
    const unit = modules.filter((path) => /(?<!\.integration)\.test\.tsx?$/.test(path))
    const reached = new Set(unit)
    for (const path of reached) {
      const text = readFileSync(TESTS + path, 'utf8')
      for (const { specifier } of importsOf(text, blank(text))) {
        const target = specifier.startsWith('.') ? join(dirname(path), specifier).replaceAll('\\', '/') : ''
        if (modules.includes(target)) reached.add(target)
      }
    }
    const shared = [...reached].filter((path) => !unit.includes(path))
    expect(shared).toContain('connectors/log/fresh-log.ts')
    expect(shared.filter((path) => HOOK.test(readFileSync(TESTS + path, 'utf8')))).toEqual([])
  })
})

/** A tree with one file in each room, all directions right. */
const sound = (): Record<string, string> => ({
  'model/record.ts': 'export interface Entry { then: Promise<void> }\n',
  'control/rate.ts': "import type { Entry } from '../model/record.ts'\nexport const rate = (entry: Entry) => entry\n",
  'engine/loop.ts': "import { rate } from '../control/rate.ts'\nexport const loop = rate\n",
  'diagnose/rules.ts': "import { loop } from '../engine/loop.ts'\nexport const doctor = loop\n",
  'connectors/memory/index.ts': "import type { Entry } from '../../model/record.ts'\nexport type Held = Entry\n",
  'connectors/file/index.ts': "import type { Entry } from '../../model/record.ts'\nexport type Line = Entry\n",
  'conformance/index.ts': "import type { Entry } from '../model/record.ts'\nexport type Suite = Entry\n",
  'runtime/world.ts': 'export const random = () => Math.random()\n',
  'runtime/run.ts': "import { loop } from '../engine/loop.ts'\nexport const run = async () => loop(await Date.now())\n",
  'sim/world.ts': "import { run } from '../runtime/run.ts'\nexport const simulate = run\n",
  'builder/pipeline.ts': "import { run } from '../runtime/run.ts'\nexport const pipeline = run\n",
  'index.ts': "export { pipeline } from './builder/pipeline.ts'\nexport * from './sim/world.ts'\n",
  'cli/main.ts': "import { pipeline } from '../index.ts'\nsetTimeout(pipeline, 1)\n",
})

/** What the guard says about the sound tree with these files changed or added, as `rule path`. */
function found(changes: Record<string, string>): string[] {
  const tree = { ...sound(), ...changes }
  const violations = inspect(Object.entries(tree).map(([path, text]) => ({ path, text })))
  return [...new Set(violations.map(({ rule, path }) => `${rule} ${path}`))].sort()
}

describe('the guard', () => {
  it('finds nothing in a sound tree', () => {
    expect(found({})).toEqual([])
  })

  it('has every room on exactly one floor', () => {
    const rooms = FLOORS.flat()
    expect(new Set(rooms).size).toBe(rooms.length)
  })

  it.each([
    ['a higher floor', 'model/x.ts', "import { loop } from '../engine/loop.ts'", 'floor'],
    ['a type of a higher floor', 'model/x.ts', "import type { loop } from '../engine/loop.ts'", 'floor'],
    ['a re-export of a higher floor', 'control/x.ts', "export * from '../engine/loop.ts'", 'floor'],
    ['a lazy import of a higher floor', 'engine/x.ts', "const x = () => import('../runtime/run.ts')", 'floor pure'],
    ['an import over several lines', 'engine/x.ts', "import {\n  run,\n} from '../runtime/run.ts'", 'floor'],
    ['the public page from below', 'builder/x.ts', "import { pipeline } from '../index.ts'", 'floor'],
    ['the package by its name', 'cli/x.ts', "import { pipeline } from 'headgate'", 'floor'],
    ['a neighbour on the same floor', 'conformance/x.ts', "import '../connectors/file/index.ts'", 'floor'],
    ['another connector', 'connectors/memory/x.ts', "import type { Line } from '../file/index.ts'", 'floor'],
    ['the engine from a connector', 'connectors/file/x.ts', "import { loop } from '../../engine/loop.ts'", 'floor'],
    ['the engine from conformance', 'conformance/x.ts', "import { loop } from '../engine/loop.ts'", 'floor'],
    ['a file that is not there', 'cli/x.ts', "import { x } from './gone.ts'", 'unresolved'],
    ['a file outside of the tree', 'cli/x.ts', "import { x } from '../../tests/x.ts'", 'unresolved'],
    ['a room on no floor', 'things/x.ts', 'export const x = 1', 'room'],
    ['a file that imports itself', 'engine/x.ts', "import { x } from './x.ts'", 'circle'],
    ['a file of 401 lines', 'engine/x.ts', '\n'.repeat(401), 'lines'],
    ['async in a pure room', 'engine/x.ts', 'const f = async () => 1', 'pure'],
    ['an async method in a pure room', 'engine/x.ts', 'class A { async f() {} }', 'pure'],
    ['await in a pure room', 'control/x.ts', 'for await (const x of y) z(x)', 'pure'],
    ['a new promise in a pure room', 'model/x.ts', 'const p = new Promise<void>((r) => r())', 'pure'],
    ['Promise.all in a pure room', 'diagnose/x.ts', 'const p = Promise.all([])', 'pure'],
    ['a .then in a pure room', 'engine/x.ts', 'p.then(f)', 'pure'],
    ['setTimeout in a pure room', 'engine/x.ts', 'globalThis.setTimeout(f, 1)', 'pure'],
    ['setInterval in a pure room', 'engine/x.ts', 'setInterval(f, 1)', 'pure'],
    ['setImmediate in a pure room', 'engine/x.ts', 'const later = setImmediate', 'pure'],
    ['queueMicrotask in a pure room', 'engine/x.ts', 'queueMicrotask(f)', 'pure'],
    ['the clock in a pure room', 'control/x.ts', 'const now = Date.now()', 'pure'],
    ['a date in a pure room', 'diagnose/x.ts', 'const d = new Date(0)', 'pure'],
    ['performance.now in a pure room', 'engine/x.ts', 'const now = performance.now()', 'pure'],
    ['randomness in a pure room', 'control/x.ts', 'const r = Math.random()', 'pure'],
    ['the process in a pure room', 'model/x.ts', 'const e = process.env', 'pure'],
    ['crypto in a pure room', 'model/x.ts', 'const id = crypto.randomUUID()', 'pure'],
    ['fetch in a pure room', 'engine/x.ts', "fetch('http://x')", 'pure'],
    ['Node in a pure room', 'model/x.ts', "import { join } from 'node:path'", 'pure'],
    ['a package in a pure room', 'model/x.ts', "import { z } from 'zod'", 'pure'],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the text of a file, not a template
    ['inside a template in a pure room', 'diagnose/x.ts', 'const x = `a ${`b ${Date.now()}`} c`', 'pure'],
    ['the clock in the simulation', 'sim/x.ts', 'const now = Date.now()', 'pure'],
    ['the clock in telemetry', 'telemetry/x.ts', 'const now = Date.now()', 'clock'],
    ['a timer in the builder', 'builder/x.ts', 'setTimeout(f, 1)', 'clock'],
    ['the time of day in the builder', 'builder/x.ts', 'const d = new Date()', 'clock'],
    ['a module of timers in telemetry', 'telemetry/x.ts', "import { setTimeout } from 'node:timers/promises'", 'clock'],
    ['randomness in the runtime', 'runtime/x.ts', 'const r = Math.random()', 'randomness'],
    ['randomness in a connector', 'connectors/memory/x.ts', "import { randomUUID } from 'node:crypto'", 'randomness'],
    ['a file named helper', 'engine/ring-helper.ts', '', 'word'],
    ['a folder named util', 'engine/util/x.ts', '', 'word'],
    ['an exported manager', 'engine/x.ts', 'export class LaneManager {}', 'word'],
    ['an exported message', 'model/x.ts', 'export interface MessageId { id: 1 }', 'word'],
    ['a re-exported job', 'engine/x.ts', 'const x = 1\nexport { x as runJob }', 'word'],
  ])('catches %s', (_, path, text, rules) => {
    expect(found({ [path]: text })).toEqual(rules.split(' ').map((rule) => `${rule} ${path}`))
  })

  it('catches a circle of files within one room, with the way round', () => {
    const violations = inspect([
      { path: 'engine/a.ts', text: "import type { B } from './b.ts'\nexport type A = B" },
      { path: 'engine/b.ts', text: "import type { C } from './c.ts'\nexport type B = C" },
      { path: 'engine/c.ts', text: "import type { A } from './a.ts'\nexport type C = A" },
    ])
    expect(violations.map(({ rule, detail }) => `${rule}: ${detail}`)).toEqual([
      'circle: engine/a.ts → engine/b.ts → engine/c.ts → engine/a.ts',
    ])
  })

  it.each([
    ['types of promises', 'interface A { f(): Promise<void>; g: PromiseLike<number> }'],
    ['comments', '// await Date.now()\n/* Math.random() */ const x = 1'],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the text of a file, not a template
    ['strings and templates', "const x = 'await Date.now()' + `setTimeout ${1} Math.random()`"],
    ['regular expressions', "const x = /['\"`]/.test(y) ? 1 : 2 // Date.now()\nconst z = y.replace(/\\/\\*/g, '')"],
    ['division', 'const x = a / b / c\nconst y = (a + b) / 2'],
    ['properties', "const x = { await: 1, message: 'm' }; x.await; error.message; slot.process(1)"],
    ['types from Node', "import type { Readable } from 'node:stream'\nexport type R = Readable"],
  ])('leaves alone %s in a pure room', (_, text) => {
    expect(found({ 'engine/x.ts': text })).toEqual([])
  })

  it('names the line', () => {
    const violations = inspect([{ path: 'engine/x.ts', text: '/* a\n b */\nconst x = 1\nconst y = Date.now()\n' }])
    expect(shown(violations)).toEqual(['src/engine/x.ts:4 [pure] uses a clock: Date.now'])
  })

  it('splits names into words', () => {
    expect(wordsOf('RETRY_HELPER')).toEqual(['retry', 'helper'])
    expect(wordsOf('engine/HTTPManager.ts')).toEqual(['engine', 'http', 'manager', 'ts'])
    expect(exportsOf('export { a, type B as C }\nexport default class D {}').map(({ name }) => name)).toEqual([
      'D',
      'a',
      'C',
    ])
  })
})
