import { readFile, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { Writable } from 'node:stream'
import { file } from 'headgate/file'
import { describe, expect, test } from 'vitest'
import { FileOutput, type OutputHandle, StreamOutput } from '../../../src/connectors/file/output.ts'
import { listen, live, origins, temporaryPath } from './world.ts'

const write = (sink: ReturnType<typeof file.sink>, values: unknown[]): ReturnType<typeof sink.write> =>
  sink.write({ values, origins: origins(values.length) }, live())

test('each value is a line; what the file held stays', async () => {
  const path = await temporaryPath()
  await writeFile(path, '{"old":1}\n')
  const sink = file.sink({ path })
  await sink.open(listen())
  expect(await write(sink, [{ a: 1 }, 'two'])).toBe('written')
  expect(await write(sink, [null])).toBe('written')
  await sink.close()
  expect(await readFile(path, 'utf8')).toBe('{"old":1}\n{"a":1}\n"two"\nnull\n')
})

test('without append it begins anew', async () => {
  const path = await temporaryPath()
  await writeFile(path, '{"old":1}\n')
  const sink = file.sink({ path, append: false, fsync: 'none' })
  await sink.open(listen())
  await write(sink, [1])
  await sink.close()
  expect(await readFile(path, 'utf8')).toBe('1\n')
})

describe('a last line without a line end', () => {
  test.each([
    ['after others', '{"a":1}\n{"b":', '{"a":1}\n'],
    ['alone', '{"b":', ''],
    ['longer than what is read at once', `{"a":1}\n"${'x'.repeat(200_000)}`, '{"a":1}\n'],
    ['that could be the beginning of a longer number', '{"a":1}\n12', '{"a":1}\n'],
  ])('is cut off with a warning: %s', async (_where, before, kept) => {
    const path = await temporaryPath()
    await writeFile(path, before)
    const { log, warnings } = listen()
    const sink = file.sink({ path })
    await sink.open({ log })
    await write(sink, [{ c: 3 }])
    await sink.close()
    expect(await readFile(path, 'utf8')).toBe(`${kept}{"c":3}\n`)
    expect(warnings).toEqual([expect.stringContaining('cut off')])
  })

  test('is kept when it is whole', async () => {
    const path = await temporaryPath()
    await writeFile(path, '{"a":1}\n{"b":2}')
    const { log, warnings } = listen()
    const sink = file.sink({ path })
    await sink.open({ log })
    await write(sink, [{ c: 3 }])
    await sink.close()
    expect(await readFile(path, 'utf8')).toBe('{"a":1}\n{"b":2}\n{"c":3}\n')
    expect(warnings).toEqual([expect.stringContaining('given one')])
  })
})

describe('a value that has no line', () => {
  const circular: Record<string, unknown> = {}
  circular['self'] = circular
  test.each([
    ['a bigint', 1n, /cannot be encoded/],
    ['a circle', circular, /cannot be encoded/],
    ['undefined', undefined, /JSON has no form for undefined/],
  ])('is rejected alone: %s', async (_what, value, reason) => {
    const path = await temporaryPath()
    const sink = file.sink({ path })
    await sink.open(listen())
    expect(await write(sink, [1, value, 3])).toEqual([
      { kind: 'written' },
      {
        kind: 'rejected',
        error: expect.objectContaining({ code: 'HG_RECORD_REJECTED', message: expect.stringMatching(reason) }),
      },
      { kind: 'written' },
    ])
    await sink.close()
    expect(await readFile(path, 'utf8')).toBe('1\n3\n')
  })

  test('is rejected when its line would be two', async () => {
    const path = await temporaryPath()
    const sink = file.sink<string>({ path, encode: (value) => value })
    await sink.open(listen())
    const result = await sink.write({ values: ['a\nb', 'c'], origins: origins(2) }, live())
    expect(result).toMatchObject([{ kind: 'rejected' }, { kind: 'written' }])
    await sink.close()
    expect(await readFile(path, 'utf8')).toBe('c\n')
  })
})

test('a full device is named in the error', async () => {
  const sink = file.sink({ path: '/dev/full' })
  await sink.open(listen())
  await expect(write(sink, [1])).rejects.toMatchObject({
    code: 'HG_STORAGE',
    message: expect.stringMatching(/^cannot write \/dev\/full: the disk is full: .*\(ENOSPC\)$/),
  })
  await sink.close()
})

test('a directory that is missing is named in the error', async () => {
  const path = `${dirname(await temporaryPath())}/none/output`
  await expect(file.sink({ path }).open(listen())).rejects.toThrow(`cannot write ${path}: there is no such file`)
})

test.each([
  [{ path: 'a', fsync: 'always' as never }, /file.sink › fsync: expected 'batch' or 'none', got "always"/],
  [{ path: 'a', encode: 1 as never }, /file.sink › encode: expected a function, got 1 \(number\)/],
  [{ path: 'a\0b' }, /file.sink › path: expected the path of a file/],
])('a wrong option is refused: %j', (options, message) => {
  expect(() => file.sink(options)).toThrow(message)
})

/** A file in memory on a disk with so much room. */
class SmallDisk {
  content = Buffer.alloc(0)
  room: number
  syncFails = false
  truncateFails = false

  constructor(room: number) {
    this.room = room
  }

  async write(bytes: Uint8Array, offset: number, length: number, position: number): Promise<{ bytesWritten: number }> {
    const fits = Math.min(length, this.room - position, 3)
    if (fits <= 0) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
    const part = bytes.subarray(offset, offset + fits)
    this.content = Buffer.concat([this.content.subarray(0, position), part])
    return { bytesWritten: fits }
  }

  async truncate(length: number): Promise<void> {
    if (this.truncateFails) throw Object.assign(new Error('i/o error'), { code: 'EIO' })
    this.content = this.content.subarray(0, length)
  }

  async sync(): Promise<void> {
    if (this.syncFails) throw Object.assign(new Error('i/o error'), { code: 'EIO' })
  }

  async close(): Promise<void> {}
}

const on = (disk: SmallDisk): FileOutput => new FileOutput('small', disk as unknown as OutputHandle, 0, true)

describe('a write that fails halfway', () => {
  test('leaves nothing behind, and is tried again until there is room, which writes each line once', async () => {
    const disk = new SmallDisk(8)
    const output = on(disk)
    await output.write(Buffer.from('one\n'))
    await expect(output.write(Buffer.from('two\nthree\n'))).rejects.toMatchObject({ code: 'HG_OVERLOADED' })
    expect(disk.content.toString()).toBe('one\n')
    disk.room = 100
    await output.write(Buffer.from('two\nthree\n'))
    expect(disk.content.toString()).toBe('one\ntwo\nthree\n')
  })

  test('ends the output when it cannot be taken back', async () => {
    const disk = new SmallDisk(6)
    disk.truncateFails = true
    const output = on(disk)
    await expect(output.write(Buffer.from('one\ntwo\n'))).rejects.toMatchObject({ code: 'HG_STORAGE' })
    disk.room = 100
    await expect(output.write(Buffer.from('one\n'))).rejects.toThrow(/cannot take back/)
  })

  test('ends the output when the sync fails, which is never tried again', async () => {
    const disk = new SmallDisk(100)
    const output = on(disk)
    disk.syncFails = true
    await expect(output.write(Buffer.from('one\n'))).rejects.toThrow(/cannot make durable small/)
    expect(disk.content.toString()).toBe('')
    disk.syncFails = false
    await expect(output.write(Buffer.from('two\n'))).rejects.toThrow(/cannot make durable small/)
    expect(disk.content.toString()).toBe('')
  })
})

test('an abort ends a write that nobody reads', async () => {
  const output = new StreamOutput('standard output', new Writable({ write() {} }))
  const abort = new AbortController()
  const stuck = output.write(Buffer.from('a\n'), abort.signal)
  abort.abort(new Error('given up'))
  await expect(stuck).rejects.toThrow('given up')
})

test.each(['EPIPE', 'ECONNRESET'])('a reader that has gone is told apart from a failing device: %s', async (code) => {
  const gone = Object.assign(new Error('write'), { code })
  const stream = new Writable({ write: (_chunk, _encoding, done) => done(gone) })
  const output = new StreamOutput('standard output', stream)
  const error = {
    code: 'HG_STORAGE',
    message: `standard output was closed by the process that was reading it (${code})`,
  }
  await expect(output.write(Buffer.from('a\n'), live())).rejects.toMatchObject(error)
  // The stream is destroyed now; a write after that is no crash either.
  await expect(output.write(Buffer.from('b\n'), live())).rejects.toMatchObject(error)
})
