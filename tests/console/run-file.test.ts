/** The files through which the doctor finds consoles: private, gone with their process, and never believed when others could have written them. */
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { type RunFile, readRunFiles, runFolder, writeRunFile } from '../../src/console/run-file.ts'

let folder = ''
const run = (given: Partial<RunFile> = {}): RunFile => ({
  pid: process.pid,
  pipeline: 'orders',
  origin: 'http://127.0.0.1:4000',
  token: 'a-token-of-some-length',
  startedAtMs: 1,
  ...given,
})

beforeEach(() => {
  const parent = mkdtempSync(join(tmpdir(), 'headgate-run-'))
  folder = join(parent, 'runs')
  onTestFinished(() => rmSync(parent, { recursive: true, force: true }))
})

test('what is written is found, newest first, until it is taken away', () => {
  expect(readRunFiles(folder)).toEqual([])
  const first = writeRunFile(run(), folder)
  const second = writeRunFile(run({ origin: 'http://127.0.0.1:4001', startedAtMs: 2 }), folder)
  expect(readRunFiles(folder).map(({ origin }) => origin)).toEqual(['http://127.0.0.1:4001', 'http://127.0.0.1:4000'])
  second()
  expect(readRunFiles(folder)).toEqual([run()])
  first()
  expect(readdirSync(folder)).toEqual([])
})

test('nobody else can read it', () => {
  writeRunFile(run(), folder)
  const [name] = readdirSync(folder)
  expect(statSync(folder).mode & 0o777).toBe(0o700)
  expect(statSync(join(folder, name as string)).mode & 0o777).toBe(0o600)
})

test('a process that is gone is not found, and its file is removed', () => {
  const { pid } = spawnSync(process.execPath, ['--version'])
  writeRunFile(run({ pid }), folder)
  expect(readRunFiles(folder)).toEqual([])
  expect(readdirSync(folder)).toEqual([])
})

test('files that are torn or foreign are passed over', () => {
  writeRunFile(run(), folder)
  writeFileSync(join(folder, 'torn.json'), '{"pid":')
  writeFileSync(join(folder, 'foreign.json'), JSON.stringify(run({ origin: 'file:///etc' })))
  expect(readRunFiles(folder)).toEqual([run()])
})

test('a folder that others may open, or a link to one, is refused', () => {
  writeRunFile(run(), folder)
  chmodSync(folder, 0o755)
  expect(() => readRunFiles(folder)).toThrow('remove it, or set XDG_RUNTIME_DIR')
  expect(() => writeRunFile(run(), folder)).toThrow('not this user')
  chmodSync(folder, 0o700)
  symlinkSync(folder, `${folder}-link`)
  expect(() => readRunFiles(`${folder}-link`)).toThrow('not this user')
})

test('the folder is that of the user', () => {
  expect(runFolder({ XDG_RUNTIME_DIR: '/run/user/7' })).toBe('/run/user/7/headgate')
  expect(runFolder({})).toContain('headgate-')
})
