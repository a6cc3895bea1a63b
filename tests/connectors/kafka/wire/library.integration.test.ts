/** How the library is loaded, in a process of its own: what was loaded once cannot be unloaded. */
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const LIBRARY = new URL('../../../../dist/connectors/kafka/wire/library.js', import.meta.url).href
const root = fileURLToPath(new URL('../../../../', import.meta.url))

function inProcess(script: string): unknown {
  const program = `import { loadLibrary } from '${LIBRARY}'; const library = await loadLibrary(); ${script}`
  const said = execFileSync(process.execPath, ['--input-type=module', '--eval', program], {
    cwd: root,
    encoding: 'utf8',
  })
  return JSON.parse(said)
}

test('brings the requests of the library without its clients', () => {
  const names = inProcess('console.log(JSON.stringify(Object.keys(library)))') as string[]
  expect(names).toEqual(expect.arrayContaining(['Reader', 'Writer', 'offsetCommitV9', 'endTxnV4', 'crc32c']))
  // Fetches are written without it.
  for (const name of ['Consumer', 'Connection', 'fetchV17']) expect(names).not.toContain(name)
})

test('is the same library for a program that also uses it by its name', () => {
  const same = "const whole = await import('@platformatic/kafka'); console.log(library.Writer === whole.Writer)"
  expect(inProcess(same)).toBe(true)
})
