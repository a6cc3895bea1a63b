/**
 * Loads a pipeline file, TypeScript or JavaScript, in ESM or CommonJS packages, on every Node.js that Headgate runs
 * on. Called by `run` alone. Everything that can be wrong with the file ends in a sentence that names the place and
 * the remedy.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { dirname, extname, join, relative, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe } from '../../model/errors.ts'
import { CliFailure } from '../failure.ts'
import { isPipeline, type LoadedPipeline } from './contract.ts'

const EXTENSIONS = new Set(['.ts', '.mts', '.cts', '.js', '.mjs', '.cjs'])
const SHAPE = "export default pipeline('name').from(…).to(…)"

export async function loadPipeline(file: string): Promise<LoadedPipeline> {
  const path = resolve(file)
  const shown = shortest(path)
  checkFile(path, shown)
  await registerTypeScript(path)

  let module: Record<string, unknown>
  try {
    module = (await import(pathToFileURL(path).href)) as Record<string, unknown>
  } catch (error) {
    throw loadFailure(error, path, shown)
  }
  return pick(module, shown)
}

/** Relative to where the command was given, unless that leads out of it. */
function shortest(path: string): string {
  const fromHere = relative(process.cwd(), path)
  return fromHere === '' || fromHere.startsWith('..') ? path : fromHere
}

function checkFile(path: string, shown: string): void {
  if (!existsSync(path)) {
    const sibling = [...EXTENSIONS].map((extension) => shown + extension).find((candidate) => existsSync(candidate))
    const advice = sibling ? `There is ${sibling}: run that.` : `It was looked for at ${path}.`
    throw new CliFailure(`there is no file ${shown}`, { advice })
  }
  if (statSync(path).isDirectory()) {
    throw new CliFailure(`${shown} is a directory`, { advice: 'Name the file in it that exports the pipeline.' })
  }
  if (!EXTENSIONS.has(extname(path))) {
    throw new CliFailure(`${shown} is not a TypeScript or JavaScript file`, {
      advice: `A pipeline file ends in ${[...EXTENSIONS].join(', ')}.`,
    })
  }
}

/** TypeScript for this process: both module systems, because a package without "type": "module" is CommonJS. */
async function registerTypeScript(path: string): Promise<void> {
  const [esm, cjs] = await Promise.all([import('tsx/esm/api'), import('tsx/cjs/api')])
  const tsconfig = process.env['TSX_TSCONFIG_PATH'] || nearest('tsconfig.json', dirname(path))
  cjs.register()
  esm.register(tsconfig ? { tsconfig } : {})
}

function nearest(name: string, from: string): string | null {
  for (let folder = from; ; folder = dirname(folder)) {
    const candidate = join(folder, name)
    if (existsSync(candidate)) return candidate
    if (dirname(folder) === folder) return null
  }
}

/** The default export; through CommonJS it arrives one level deeper. */
function pick(module: Record<string, unknown>, shown: string): LoadedPipeline {
  const outer = module['default']
  const inner = (outer as Record<string, unknown> | undefined)?.['default']
  if (isPipeline(outer)) return outer
  if (isPipeline(inner)) return inner

  const exported = inner !== undefined && typeof outer === 'object' ? (outer as Record<string, unknown>) : module
  const names = Object.keys(exported).filter((name) => name !== '__esModule' && name !== 'module.exports')
  const named = names.find((name) => isPipeline(exported[name]))
  const advice = named
    ? `It exports a pipeline as '${named}': make it the default, export default ${named}.`
    : (unfinished(exported['default']) ?? `Expected: ${SHAPE}`)
  const list = names.map((name) => `${name} (${kindOf(exported[name])})`).join(', ')
  throw new CliFailure(`${shown} does not export a pipeline by default: it exports ${list || 'nothing'}`, { advice })
}

/** What a pipeline that was not built to its end still needs. */
function unfinished(value: unknown): string | null {
  const has = (method: string): boolean => typeof (value as Record<string, unknown> | null)?.[method] === 'function'
  if (typeof value !== 'object' || value === null) return null
  if (has('to')) return 'Its default export is a pipeline without an end: finish it with .to(sink).'
  return has('from') ? 'Its default export is a pipeline without a source: continue with .from(source).' : null
}

function kindOf(value: unknown): string {
  if (value === null) return 'null'
  if (typeof value !== 'object') return typeof value === 'function' ? 'a function' : typeof value
  const maker = (value as object).constructor?.name
  return !maker || maker === 'Object' ? 'an object' : maker
}

function loadFailure(error: unknown, path: string, shown: string): CliFailure {
  const text = error instanceof Error ? error.message : String(error)
  const code = (error as { code?: unknown } | null)?.code

  const transform = /^(.+?):(\d+):(\d+): ERROR: (.+)$/m.exec(text)
  if (transform) {
    const [, where, line, column, what] = transform as unknown as [string, string, string, string, string]
    const place = `${shortest(where)}:${line}:${column}`
    const advice = /top-level await/i.test(what)
      ? 'Add "type": "module" to the package.json beside it, or name the file .mts.'
      : ''
    return new CliFailure(`syntax error at ${place}: ${what}`, { advice, cause: error })
  }
  if (error instanceof SyntaxError) {
    const place = placeOf(path)
    return new CliFailure(`syntax error ${place ? `at ${place}` : `in ${shown}`}: ${text}`, { cause: error })
  }
  if (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND') {
    const missing = /Cannot find (?:module|package) '([^']+)'/.exec(text)?.[1] ?? 'a module'
    const packageName =
      /^[./]/.test(missing) || missing.startsWith('file:') ? null : missing.replace(/^((?:@[^/]+\/)?[^/]+).*/, '$1')
    const advice = packageName
      ? `Install it where the file is: npm install ${packageName}`
      : 'Check the path in the import.'
    return new CliFailure(`${shown} imports '${missing}', which is not there`, { advice, cause: error })
  }
  if (typeof code === 'string' && code.startsWith('HG_')) {
    return new CliFailure(`${shown} declares a pipeline that cannot run: ${text}`, {
      advice: placeIn(error, path),
      cause: error,
    })
  }
  return new CliFailure(`${shown} failed while it was loaded: ${describe(error)}`, {
    advice: placeIn(error, path),
    cause: error,
  })
}

/** Where in the pipeline file the error was thrown, from its stack. */
function placeIn(error: unknown, path: string): string {
  const stack = error instanceof Error ? (error.stack ?? '') : ''
  const line = stack.split('\n').find((one) => one.includes(path))
  const found = line && /:(\d+):(\d+)\)?$/.exec(line)
  return found ? `at ${shortest(path)}:${found[1]}:${found[2]}` : ''
}

/** Node.js does not say where a JavaScript module breaks; its own syntax check does. */
function placeOf(path: string): string | null {
  try {
    execFileSync(process.execPath, ['--check', path], { stdio: ['ignore', 'ignore', 'pipe'], timeout: 5_000 })
  } catch (error) {
    const said = (error as { stderr?: Buffer }).stderr?.toString() ?? ''
    const found = /^(?:file:\/\/)?(.+?):(\d+)$/m.exec(said)
    if (found) return `${shortest(found[1] as string)}:${found[2]}`
  }
  return null
}
