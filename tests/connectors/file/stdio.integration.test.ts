/** Standard input and output, through real pipes of a process of its own. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { open, rm, writeFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { temporaryPath } from './world.ts'

const SCRIPT = fileURLToPath(new URL('fixtures/copy.ts', import.meta.url))

function start(env: Record<string, string> = {}, stdin: 'pipe' | number = 'pipe'): ChildProcessWithoutNullStreams {
  const child = spawn(process.execPath, ['--import', 'tsx', SCRIPT], {
    env: { ...process.env, ...env },
    stdio: [stdin, 'pipe', 'pipe'],
  }) as ChildProcessWithoutNullStreams
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  return child
}

const LINES = Array.from({ length: 5_000 }, (_, n) => `{"n":${n},"pad":"${'x'.repeat(n % 50)}"}`)

test('what comes in by a pipe goes out by a pipe, to the last line, which has no line end', async () => {
  const child = start()
  const [out, errors, exit] = [text(child.stdout), text(child.stderr), once(child, 'exit')]
  child.stdin.end(LINES.join('\n'))
  expect(await out).toBe(`${LINES.join('\n')}\n`)
  expect(await errors).toMatch(/^held at most \d+ bytes$/m)
  expect(await exit).toEqual([0, null])
})

test('lines that come slowly, and in pieces, are copied as they come', async () => {
  const child = start()
  const exit = once(child, 'exit')
  child.stdout.setEncoding('utf8')
  for (const piece of ['{"a":1}\n{"b"', ':2}\n']) {
    child.stdin.write(piece)
    const [copied] = (await once(child.stdout, 'data')) as [string]
    expect(copied).toBe(piece.startsWith('{') ? '{"a":1}\n' : '{"b":2}\n')
  }
  child.stdin.end()
  expect(await exit).toEqual([0, null])
})

test('standard input can be a file', async () => {
  const path = await temporaryPath()
  await writeFile(path, LINES.join('\n'))
  const input = await open(path, 'r')
  const child = start({}, input.fd)
  const [out, exit] = [text(child.stdout), once(child, 'exit')]
  expect(await out).toBe(`${LINES.join('\n')}\n`)
  expect(await exit).toEqual([0, null])
  await input.close()
  await rm(path)
})

test('a fast writer has to wait in its pipe: what is held stays small', async () => {
  const child = start()
  const [out, errors] = [text(child.stdout), text(child.stderr)]
  const line = `{"pad":"${'x'.repeat(1_000)}"}\n`
  child.stdin.end(line.repeat(10_000))
  expect((await out).length).toBe(10_000 * line.length)
  const held = Number(/held at most (\d+) bytes/.exec(await errors)?.[1])
  expect(held).toBeGreaterThan(0)
  // What the stream buffers, the chunk on top of it, and a line that began before.
  expect(held).toBeLessThanOrEqual(2 * 64 * 1024 + line.length)
})

test('a reader that goes away is a clear error, not a crash', async () => {
  const child = start({ COPY_PAUSE_MS: '5' })
  const [errors, exit] = [text(child.stderr), once(child, 'exit')]
  child.stdin.on('error', () => {})
  child.stdin.write(LINES.join('\n'))
  await once(child.stdout, 'data')
  child.stdout.destroy()
  expect(await errors).toMatch(
    /^HG_STORAGE: standard output was closed by the process that was reading it \((EPIPE|ECONNRESET)\)$/m,
  )
  expect(await exit).toEqual([1, null])
})
