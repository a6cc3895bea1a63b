/**
 * The package as a user gets it: packed from the built repository and installed into an empty project. The packaging
 * tests run everything inside that project. Needs `dist/`; it never builds, since other tests run from it meanwhile.
 */
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const REPOSITORY = fileURLToPath(new URL('../../', import.meta.url))

export interface Finished {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program to its end; a failure is a result too. */
export function run(file: string, args: readonly string[], cwd: string): Promise<Finished> {
  // What the surrounding npm or vitest set must not reach the project: it is somebody else's.
  const env = Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^(npm_(?!config_)|VITEST|NODE_ENV$|NODE_OPTIONS$|TSX_)/.test(name),
    ),
  )
  return new Promise((resolve) => {
    execFile(file, args, { cwd, env, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code ?? 1) || 1 : 0, stdout, stderr })
    })
  })
}

export async function succeed(file: string, args: readonly string[], cwd: string): Promise<Finished> {
  const finished = await run(file, args, cwd)
  if (finished.code === 0) return finished
  throw new Error(`${file} ${args.join(' ')} ended with ${finished.code}\n${finished.stdout}\n${finished.stderr}`)
}

export interface Installed {
  readonly tarball: string
  /** What the tarball holds, relative to the package. */
  readonly files: readonly string[]
  /** The project that depends on the package. */
  readonly project: string
  /** Writes a file of the project and returns its path. */
  write(name: string, text: string): string
  /** Runs a module of the project with Node.js. */
  node(name: string, text: string): Promise<Finished>
  remove(): void
}

export async function packAndInstall(): Promise<Installed> {
  if (!existsSync(join(REPOSITORY, 'dist/index.js'))) throw new Error('dist is not built: npm run build')
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'headgate-package-')))
  const project = join(directory, 'project')
  mkdirSync(project)

  const packing = ['pack', '--ignore-scripts', '--json', '--pack-destination', directory]
  const { stdout } = await succeed('npm', packing, REPOSITORY)
  const [packed] = JSON.parse(stdout) as [{ filename: string; files: { path: string }[] }]
  const tarball = join(directory, packed.filename)

  const write = (name: string, text: string): string => {
    const path = join(project, name)
    writeFileSync(path, text)
    return path
  }
  write('package.json', JSON.stringify({ name: 'project', private: true, type: 'module' }))
  await succeed('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', tarball], project)

  return {
    tarball,
    files: packed.files.map((file) => file.path),
    project,
    write,
    node: (name, text) => run(process.execPath, [write(name, text)], project),
    remove: () => rmSync(directory, { recursive: true, force: true }),
  }
}
