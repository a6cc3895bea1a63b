/** What npm runs in a clone after an installation and before `npx headgate`: it must not take a running pipeline's files away. */
import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'

const PREPARE = fileURLToPath(new URL('../../scripts/prepare.mjs', import.meta.url))
/** Stands for the build: counts itself, and writes what a build writes last. */
const BUILD = `
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs'
appendFileSync('builds', '+')
mkdirSync('dist/console/page', { recursive: true })
writeFileSync('dist/console/page/console.js', '')
`

test('a clone is built once, and again only after something that it is made of has changed or gone', () => {
  const clone = mkdtempSync(join(tmpdir(), 'headgate-prepare-'))
  onTestFinished(() => rmSync(clone, { recursive: true, force: true }))
  mkdirSync(join(clone, 'scripts'))
  mkdirSync(join(clone, 'src/engine'), { recursive: true })
  copyFileSync(PREPARE, join(clone, 'scripts/prepare.mjs'))
  writeFileSync(join(clone, 'scripts/build.mjs'), BUILD)
  writeFileSync(join(clone, 'package.json'), JSON.stringify({ scripts: { build: 'node scripts/build.mjs' } }))
  for (const name of ['tsconfig.json', 'tsconfig.build.json', 'scripts/page.mjs', 'src/a.ts', 'src/engine/b.ts'])
    writeFileSync(join(clone, name), '')
  const builds = (): number => {
    execFileSync(process.execPath, [join(clone, 'scripts/prepare.mjs')], { stdio: 'pipe' })
    return readFileSync(join(clone, 'builds'), 'utf8').length
  }
  expect(builds()).toBe(1)
  expect(builds()).toBe(1)
  writeFileSync(join(clone, 'src/engine/b.ts'), 'changed')
  expect(builds()).toBe(2)
  rmSync(join(clone, 'src/a.ts'))
  expect(builds()).toBe(3)
  expect(builds()).toBe(3)
})
