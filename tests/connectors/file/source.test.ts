import { appendFile, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { file } from 'headgate/file'
import { describe, expect, test } from 'vitest'
import { openSource, pull, readAll, temporaryPath, text } from './world.ts'

const numbered = (count: number): string => Array.from({ length: count }, (_, n) => `{"n":${n}}\n`).join('')

test('every line is a record at its byte position; a last line needs no line end', async () => {
  const path = await temporaryPath()
  await writeFile(path, '{"a":1}\r\n\n{"ü":2}\n{"c":3}')
  const source = file.source({ path })
  await openSource(source)
  const records = await readAll(source)
  expect(records.map((record) => [record.offset, text(record), record.bytes])).toEqual([
    [0, '{"a":1}', 7],
    [10, '{"ü":2}', 8],
    [19, '{"c":3}', 7],
  ])
  expect(records.map((record) => source.decode(record.value, record))).toEqual([{ a: 1 }, { ü: 2 }, { c: 3 }])
  expect(await pull(source)).toEqual({ batches: [], ended: true })
  await source.close()
})

test('an empty file ends at once', async () => {
  const path = await temporaryPath()
  await writeFile(path, '')
  const source = file.source({ path })
  await openSource(source)
  expect(await pull(source)).toEqual({ batches: [], ended: true })
  await source.close()
})

test('what is read ahead is bounded and counted, however large the file is', async () => {
  const path = await temporaryPath()
  await writeFile(path, numbered(50_000))
  const source = file.source({ path })
  await openSource(source)
  let most = 0
  for (let ended = false; !ended; ) {
    ended = (await pull(source, { records: 100 })).ended
    most = Math.max(most, source.held().bytes)
  }
  expect(most).toBeGreaterThan(0)
  expect(most).toBeLessThanOrEqual(64 * 1024)
  expect(source.held()).toEqual({ records: 0, bytes: 0 })
  await source.close()
})

describe('progress', () => {
  test('survives a restart, with what was done ahead', async () => {
    const path = await temporaryPath()
    await writeFile(path, numbered(10))
    const first = file.source({ path })
    const { epoch } = await openSource(first)
    const records = await readAll(first)
    // As the ledger counts: one more than the offset of the last record, not the beginning of the next.
    const nextOffset = (records[3]?.offset as number) + 1
    const doneAhead = Uint8Array.of(0, 1, 254, 255)
    await first.commit([{ partition: path, epoch, nextOffset, doneAhead }])
    await first.close()

    const second = file.source({ path })
    const assignment = await openSource(second)
    expect(assignment).toMatchObject({ partition: path, nextOffset })
    expect(assignment.epoch).toBeGreaterThan(epoch)
    expect([...(assignment.doneAhead as Uint8Array)]).toEqual([...doneAhead])
    expect((await readAll(second)).map(text)).toEqual(records.slice(4).map(text))
    await second.close()
  })

  test('is kept where it is told to be', async () => {
    const path = await temporaryPath()
    const progress = await temporaryPath('progress.json')
    await writeFile(path, numbered(2))
    const source = file.source({ path, progress })
    const { epoch } = await openSource(source)
    await readAll(source)
    await source.commit([{ partition: path, epoch, nextOffset: 1, doneAhead: null }])
    await source.close()
    expect(JSON.parse(await readFile(progress, 'utf8'))).toMatchObject({ headgate: 1, nextOffset: 1 })
  })

  test('is not kept when there is nowhere to keep it', async () => {
    const path = await temporaryPath()
    await writeFile(path, numbered(3))
    const source = file.source({ path, progress: null })
    expect(source.capabilities).toMatchObject({ replayable: false, metadataBytes: 0 })
    const { epoch } = await openSource(source)
    expect(await readAll(source)).toHaveLength(3)
    await source.commit([{ partition: path, epoch, nextOffset: 9, doneAhead: null }])
    await source.close()
    const again = file.source({ path, progress: null })
    await openSource(again)
    expect(await readAll(again)).toHaveLength(3)
    await again.close()
  })

  test('lets a file grow between two runs', async () => {
    const path = await temporaryPath()
    await writeFile(path, numbered(2))
    const first = file.source({ path })
    const { epoch } = await openSource(first)
    const records = await readAll(first)
    await first.commit([{ partition: path, epoch, nextOffset: (records[1]?.offset as number) + 1, doneAhead: null }])
    await first.close()
    await appendFile(path, '{"more":1}\n')
    const second = file.source({ path })
    await openSource(second)
    expect((await readAll(second)).map(text)).toEqual(['{"more":1}'])
    await second.close()
  })

  test.each([
    ['replaced by another file', async (path: string) => writeFile(path, '{"other":1}\n{"other":2}\n{"other":3}\n')],
    ['cut', async (path: string) => writeFile(path, '{"n"')],
  ])('is not applied to a file that was %s', async (_how, change) => {
    const path = await temporaryPath()
    await writeFile(path, numbered(3))
    const source = file.source({ path })
    const { epoch } = await openSource(source)
    await readAll(source)
    await source.commit([{ partition: path, epoch, nextOffset: 17, doneAhead: null }])
    await source.close()
    await change(path)
    await expect(openSource(file.source({ path }))).rejects.toMatchObject({
      code: 'HG_STORAGE',
      message: expect.stringContaining('Delete the progress file'),
    })
  })

  test.each(['', 'not json', '{"headgate":1}', '{"headgate":2,"epoch":1,"nextOffset":0,"doneAhead":null,"head":""}'])(
    'that is damaged stops the source and says what to do: %s',
    async (content) => {
      const path = await temporaryPath()
      await writeFile(path, numbered(3))
      await writeFile(`${path}.headgate-progress`, content)
      await expect(openSource(file.source({ path }))).rejects.toMatchObject({
        code: 'HG_STORAGE',
        message: expect.stringMatching(/headgate-progress is damaged .* delete it/),
      })
    },
  )

  test('that cannot be stored fails the commit, which may be tried again', async () => {
    const path = await temporaryPath()
    await writeFile(path, numbered(3))
    const progress = `${dirname(path)}/later/progress`
    const source = file.source({ path, progress })
    const { epoch } = await openSource(source)
    await readAll(source)
    const position = { partition: path, epoch, nextOffset: 1, doneAhead: null }
    await expect(source.commit([position])).rejects.toMatchObject({ code: 'HG_COMMIT_FAILED', retryable: true })
    await rename(dirname(await temporaryPath()), `${dirname(path)}/later`)
    await source.commit([position])
    expect(JSON.parse(await readFile(progress, 'utf8'))).toMatchObject({ nextOffset: 1 })
    await source.close()
  })
})

describe('an over-long line', () => {
  test('is a record of its whole length, does not decode, and costs the others nothing', async () => {
    const path = await temporaryPath()
    const long = JSON.stringify('x'.repeat(300_000))
    await writeFile(path, `{"a":1}\n${long}\n{"b":2}\n`)
    const source = file.source({ path, maxLineBytes: 1_000 })
    await openSource(source)
    const [before, cut, after] = await readAll(source)
    expect([text(before), text(after)]).toEqual(['{"a":1}', '{"b":2}'])
    expect(cut?.bytes).toBe(long.length)
    expect(cut?.value).toHaveLength(1_000)
    expect(() => source.decode(cut?.value, cut as never)).toThrow(/the line at byte 8 has 293 KiB.*maxLineBytes/)
    await source.close()
  })

  test('is not handed to a decoder of one own', async () => {
    const path = await temporaryPath()
    await writeFile(path, `${'y'.repeat(100)}\n${'z'.repeat(64)}\n`)
    const source = file.source({ path, maxLineBytes: 64, decode: (raw) => Buffer.from(raw as Uint8Array).toString() })
    await openSource(source)
    const [cut, whole] = await readAll(source)
    expect(() => source.decode(cut?.value, cut as never)).toThrow(/100 B/)
    expect(source.decode(whole?.value, whole as never)).toBe('z'.repeat(64))
    await source.close()
  })
})

test.each([
  ['a field', 'id', ['x', '7', null, null]],
  ['a function', (line: Uint8Array) => `${line.length}`, ['10', '8', '2', '4']],
] as const)('the key can be %s of the line', async (_what, key, expected) => {
  const path = await temporaryPath()
  await writeFile(path, '{"id":"x"}\n{"id":7}\n{}\noops\n')
  const source = file.source({ path, key })
  await openSource(source)
  expect((await readAll(source)).map((record) => record.key)).toEqual(expected)
  await source.close()
})

describe('what cannot be read is explained', () => {
  test('a file that is missing', async () => {
    const path = await temporaryPath()
    await expect(openSource(file.source({ path }))).rejects.toMatchObject({
      code: 'HG_STORAGE',
      message: `cannot read ${path}: there is no such file or directory: check the path, which is relative to the working directory (ENOENT)`,
    })
  })

  test('a directory', async () => {
    const path = dirname(await temporaryPath())
    await expect(openSource(file.source({ path }))).rejects.toThrow(/it is no regular file; pipe it in and use '-'/)
  })

  test.each([
    [undefined as never, 'file.source: expected an object of options, got undefined'],
    [{ path: '' }, 'file.source › path: expected the path of a file, got "" (string)'],
    [
      { path: 'a', maxLineBytes: '1MiB' as never },
      'file.source › maxLineBytes: expected an integer from 64 to 536,870,912 (bytes), got "1MiB" (string); did you mean 1048576?',
    ],
    [{ path: '-', progress: 'p' }, 'file.source › progress: expected none for standard input'],
    [{ path: 'a', key: 7 as never }, 'file.source › key: expected the name of a field or a function, got 7 (number)'],
    [{ path: 'a', maxLine: 7 } as never, 'file.source: unknown option `maxLine`; the options here are `path`, `name`'],
  ])('a wrong option: %j', (options, message) => {
    expect(() => file.source(options)).toThrow(message)
  })
})
