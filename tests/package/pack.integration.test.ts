/**
 * The published package, seen from outside: what the tarball holds, and that a project which installs it can run a
 * pipeline from JavaScript and from TypeScript, reach every documented entry point and nothing else, and use the
 * command line.
 */
import { readFileSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Installed, packAndInstall, REPOSITORY, run, succeed } from './installed.ts'

interface Manifest {
  readonly version: string
  readonly exports: Readonly<Record<string, string | { readonly types: string; readonly default: string }>>
}

const manifest = JSON.parse(readFileSync(join(REPOSITORY, 'package.json'), 'utf8')) as Manifest
const entries = Object.entries(manifest.exports)
const modules = entries.filter(([, target]) => typeof target === 'object').map(([path]) => posix.join('headgate', path))

let installed: Installed

beforeAll(async () => {
  installed = await packAndInstall()
})

afterAll(() => installed?.remove())

describe('the tarball', () => {
  it('holds what the package promises', () => {
    const promised = entries.flatMap(([, target]) =>
      typeof target === 'string' ? [target] : [target.types, target.default],
    )
    const expected = [...promised.map((path) => posix.normalize(path)), 'LICENSE', 'README.md', 'dist/cli/main.js']
    expected.push('dist/console/page/index.html', 'dashboards/grafana.json', 'dashboards/alerts.yml')
    expect(expected.filter((path) => !installed.files.includes(path))).toEqual([])
  })

  it('holds no sources, tests, examples or benchmarks', () => {
    const kinds = new Set(installed.files.map((path) => path.split('/')[0]))
    const allowed = ['dashboards', 'dist', 'schema', 'LICENSE', 'README.md', 'CHANGELOG.md', 'package.json']
    expect([...kinds].filter((kind) => !allowed.includes(kind as string))).toEqual([])
    expect(installed.files.filter((path) => /\.test\.|(?<!\.d)\.ts$|tsbuildinfo/.test(path))).toEqual([])
  })

  it('has no map to a file that is not in it', () => {
    const root = join(installed.project, 'node_modules/headgate')
    const broken = installed.files
      .filter((path) => /\.(js|d\.ts)$/.test(path))
      .flatMap((path) => {
        const map = /^\/\/# sourceMappingURL=(?!data:)(\S+)/m.exec(readFileSync(join(root, path), 'utf8'))?.[1]
        if (map === undefined) return []
        const mapPath = posix.join(posix.dirname(path), map)
        if (!installed.files.includes(mapPath)) return [`${path} → ${mapPath}`]
        const { sources } = JSON.parse(readFileSync(join(root, mapPath), 'utf8')) as { sources: string[] }
        const missing = sources.filter(
          (source) => !installed.files.includes(posix.join(posix.dirname(mapPath), source)),
        )
        return missing.map((source) => `${mapPath} → ${source}`)
      })
    expect(broken).toEqual([])
  })

  it('satisfies publint, strictly', async () => {
    const tarball = readFileSync(installed.tarball)
    const { messages, pkg } = await publint({ pack: { tarball: new Uint8Array(tarball).buffer }, strict: true })
    expect(messages.map((message) => formatMessage(message, pkg as Record<string, unknown>))).toEqual([])
  })

  it('has types that resolve as its code does', async () => {
    const attw = join(REPOSITORY, 'node_modules/@arethetypeswrong/cli/dist/index.js')
    const args = [attw, installed.tarball, '--profile', 'esm-only', '--no-definitely-typed', '--no-emoji', '--no-color']
    const { code, stdout, stderr } = await run(process.execPath, args, installed.project)
    expect(code, stdout + stderr).toBe(0)
    expect(modules.filter((name) => !stdout.includes(`"${name}"`))).toEqual([])
  })
})

const PIPELINE = `
const sink = memory.sink()
const status = await pipeline('numbers').from(memory.source([1, 2, 3])).map((n) => n * 2).to(sink).run()
console.log(JSON.stringify({ values: sink.values, state: status.state, out: status.records.out }))
`
const PRINTED = { values: [2, 4, 6], state: 'stopped', out: 3 }

const LIMITED = `
const limit = limiter({ max: 8, classify: ({ error }) => (error ? { kind: 'failed' } : undefined) })
const answers = await Promise.all([1, 2, 3].map((n) => limit(() => Promise.resolve(n * 2), { key: 'x' })))
console.log(JSON.stringify({ answers, keys: limit.snapshot().keys.length, pause: retryAfterMs('2', 0) }))
`
const LIMITED_PRINTED = { answers: [2, 4, 6], keys: 1, pause: 2000 }

describe('an empty project that installs it', () => {
  it('runs a pipeline from JavaScript', async () => {
    const imports = "import { pipeline } from 'headgate'\nimport { memory } from 'headgate/memory'\n"
    const { code, stdout, stderr } = await installed.node('run.js', imports + PIPELINE)
    expect(code, stderr).toBe(0)
    expect(JSON.parse(stdout)).toEqual(PRINTED)
  })

  it('limits calls from JavaScript', async () => {
    const imports = "import { limiter, retryAfterMs } from 'headgate/limit'\n"
    const { code, stdout, stderr } = await installed.node('limited.js', imports + LIMITED)
    expect(code, stderr).toBe(0)
    expect(JSON.parse(stdout)).toEqual(LIMITED_PRINTED)
  })

  it('runs a pipeline from TypeScript, with the types of values checked all the way', async () => {
    installed.write(
      'run.ts',
      `import { type Pipeline, pipeline, type Status } from 'headgate'
import { memory } from 'headgate/memory'

const sink = memory.sink<number>()
const made: Pipeline = pipeline('numbers').from(memory.source([1, 2, 3])).map((n) => n * 2).to(sink)
const status: Status = await made.run()
// @ts-expect-error a number is no string
pipeline('wrong').from(memory.source([1])).map((n) => n.toUpperCase())
const values: readonly number[] = sink.values
console.log(JSON.stringify({ values, state: status.state, out: status.records.out }))
`,
    )
    installed.write(
      'limited.ts',
      `import { Controller, type Limit, type LimitSnapshot, limiter, limitInterceptor, retryAfterMs } from 'headgate/limit'
${LIMITED}
const typed: Limit = limit
const snapshot: LimitSnapshot = typed.snapshot()
const asked: number = new Controller({ max: 4 }, 0).admit(snapshot.inFlight)
limitInterceptor(typed, { until: asked === 0 ? 'body' : 'headers' })
// @ts-expect-error the result of a call keeps its type
const wrong: string = await limit(() => 5)
`,
    )
    // The same modules as a TypeScript user sees them; whatever a declaration file drags in is checked as well.
    installed.write('entries.ts', modules.map((name, at) => `export * as entry${at} from '${name}'\n`).join(''))
    installed.write(
      'tsconfig.json',
      JSON.stringify({
        compilerOptions: {
          ...{ target: 'es2023', lib: ['es2023'], module: 'nodenext', moduleResolution: 'nodenext', outDir: 'out' },
          ...{ strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, skipLibCheck: false },
          ...{ types: ['node'], typeRoots: [join(REPOSITORY, 'node_modules/@types')], rootDir: '.' },
        },
        files: ['run.ts', 'limited.ts', 'entries.ts'],
      }),
    )
    const tsc = join(REPOSITORY, 'node_modules/typescript/bin/tsc')
    const compiled = await run(process.execPath, [tsc, '-p', '.'], installed.project)
    expect(compiled.stdout + compiled.stderr).toBe('')
    const { stdout } = await succeed(process.execPath, [join('out', 'run.js')], installed.project)
    expect(JSON.parse(stdout)).toEqual(PRINTED)
    const limited = await succeed(process.execPath, [join('out', 'limited.js')], installed.project)
    expect(JSON.parse(limited.stdout)).toEqual(LIMITED_PRINTED)
  })

  it.each(modules)('can import %s', async (name) => {
    const text = `import * as entry from '${name}'\nconsole.log(Object.keys(entry).length)`
    const { code, stdout, stderr } = await installed.node('entry.js', text)
    expect(code, stderr).toBe(0)
    expect(Number(stdout)).toBeGreaterThan(0)
  })

  it.each(modules)('can require %s from CommonJS', async (name) => {
    const { code, stderr } = await installed.node('entry.cjs', `require('${name}')`)
    expect(code, stderr).toBe(0)
  })

  it('can read the schema of the status', async () => {
    const text = `import schema from 'headgate/status.schema.json' with { type: 'json' }\nconsole.log(typeof schema.$schema)`
    const { stdout, stderr } = await installed.node('schema.js', text)
    expect(stdout.trim(), stderr).toBe('string')
  })

  it.each(['headgate/dist/engine/engine.js', 'headgate/engine/engine.js', 'headgate/dist/index.js'])(
    'cannot reach into %s',
    async (name) => {
      const { code, stderr } = await installed.node('deep.js', `await import('${name}')`)
      expect(code).not.toBe(0)
      expect(stderr).toContain('ERR_PACKAGE_PATH_NOT_EXPORTED')
    },
  )

  it('has the command line', async () => {
    const bin = join(installed.project, 'node_modules/.bin/headgate')
    const help = await succeed(bin, ['--help'], installed.project)
    expect(help.stdout).toContain('Usage: headgate')
    const version = await succeed(bin, ['--version'], dirname(installed.project))
    expect(version.stdout.trim()).toBe(manifest.version)
  })
})
