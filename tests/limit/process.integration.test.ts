/** What a limiter does to the life of its process: an idle one does not prolong it, a waiting call does. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const entry = new URL('../../src/limit/index.ts', import.meta.url).href
const root = fileURLToPath(new URL('../../', import.meta.url))

/** Runs a module in a process of its own; the code is null when it had to be ended. */
function run(body: string): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const text = `import { limiter } from '${entry}'\n${body}`
  const args = ['--import', 'tsx', '--input-type=module', '--eval', text]
  return new Promise((resolve) => {
    execFile(process.execPath, args, { cwd: root, timeout: 60_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : error.killed === true ? null : Number(error.code), stdout, stderr })
    })
  })
}

describe('a process', () => {
  it('ends while its limiter is idle, though a pause that the downstream asked for is not over', async () => {
    const { code, stdout, stderr } = await run(`
      const limit = limiter()
      await limit(() => ({ status: 429, headers: { 'retry-after': '60' } }))
      console.log(limit.snapshot().waiting)
    `)
    expect([code, stdout.trim(), stderr]).toEqual([0, '0', ''])
  })

  it('goes on while a call waits for the end of a pause', async () => {
    const { code, stdout, stderr } = await run(`
      const limit = limiter({ initial: 4 })
      await limit(() => ({ status: 503, headers: { 'retry-after': '0.5' } }))
      limit(() => console.log('made'))
    `)
    expect([code, stdout.trim(), stderr]).toEqual([0, 'made', ''])
  })

  it('goes on while a call waits for the place of one that never ends', async () => {
    const { code, stdout, stderr } = await run(`
      const limit = limiter({ max: 1, lostAfterMs: 300 })
      limit(() => new Promise(() => {}))
      limit(() => console.log('made'))
    `)
    expect([code, stdout.trim(), stderr]).toEqual([0, 'made', ''])
  })

  it('ends once the last waiting call was aborted', async () => {
    const { code, stdout, stderr } = await run(`
      const limit = limiter()
      await limit(() => ({ status: 429, headers: { 'retry-after': '60' } }))
      const stop = new AbortController()
      limit(() => 1, { signal: stop.signal }).catch((error) => console.log(error.message))
      stop.abort(new Error('stopped'))
    `)
    expect([code, stdout.trim(), stderr]).toEqual([0, 'stopped', ''])
  })
})
