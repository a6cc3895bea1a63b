/** Every snippet about the limiter, in its page and in the README, compiles as a module of its own, strictly. */
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../../', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'headgate-snippets-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const snippetsOf = (page: string): string[] =>
  [...readFileSync(join(root, page), 'utf8').matchAll(/```ts\n([\s\S]*?)```/g)].map(([, text]) => text as string)

describe('snippets', () => {
  it('compile', async () => {
    const snippets = [
      ...snippetsOf('docs/limit.md'),
      ...snippetsOf('README.md').filter((text) => text.includes("'headgate/limit'")),
    ]
    expect(snippets.length).toBeGreaterThanOrEqual(6)
    mkdirSync(join(folder, 'snippets'))
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
    for (const [at, text] of snippets.entries()) writeFileSync(join(folder, 'snippets', `snippet${at}.ts`), text)
    const compilerOptions = {
      ...{ exactOptionalPropertyTypes: true, noUnusedLocals: false, rootDir: '/' },
      ...{
        paths: { 'headgate/limit': [join(root, 'src/limit/index.ts')] },
        typeRoots: [join(root, 'node_modules/@types')],
      },
    }
    const project = { extends: join(root, 'tsconfig.json'), compilerOptions, include: ['snippets'] }
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(project))
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
    const tsc = join(root, 'node_modules/typescript/bin/tsc')
    const printed = await new Promise((resolve) => {
      execFile(process.execPath, [tsc, '-p', folder], { cwd: folder }, (_, stdout, stderr) => resolve(stdout + stderr))
    })
    expect(printed).toBe('')
  })
})
