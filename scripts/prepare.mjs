/**
 * What npm runs after an installation, and before `npx headgate` in this folder: builds unless what is built is newer
 * than all that it is made of. Building takes the files away for a while, and a pipeline may be running from them.
 */
import { spawnSync } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
/** The last file that a build writes. */
const BUILT = `${root}dist/console/page/console.js`
const SOURCES = ['package.json', 'tsconfig.json', 'tsconfig.build.json', 'scripts/page.mjs', 'src']

/** Of a file, or of a folder and everything in it: a file that is gone changes its folder. */
function changedMs(path) {
  const found = statSync(path)
  if (!found.isDirectory()) return found.mtimeMs
  return readdirSync(path).reduce((last, name) => Math.max(last, changedMs(`${path}/${name}`)), found.mtimeMs)
}

const builtMs = statSync(BUILT, { throwIfNoEntry: false })?.mtimeMs ?? 0
if (builtMs <= Math.max(...SOURCES.map((name) => changedMs(root + name)))) {
  const { status } = spawnSync('npm', ['run', 'build'], {
    cwd: root,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  })
  process.exitCode = status ?? 1
}
