/** A program that has Headgate installed and not the library that its Kafka connectors need. */
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import manifest from '../../../../package.json' with { type: 'json' }

const root = fileURLToPath(new URL('../../../../', import.meta.url))
const PEER = '@platformatic/kafka'

let folder: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'headgate-peer-'))
  const installed = join(folder, 'node_modules')
  const headgate = join(installed, 'headgate')
  mkdirSync(headgate, { recursive: true })
  cpSync(join(root, 'dist'), join(headgate, 'dist'), { recursive: true })
  cpSync(join(root, 'package.json'), join(headgate, 'package.json'))
  for (const name of Object.keys(manifest.dependencies)) {
    mkdirSync(dirname(join(installed, name)), { recursive: true })
    symlinkSync(join(root, 'node_modules', name), join(installed, name))
  }
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** What a pipeline ends with whose parts are these. */
function endOf(parts: string): { code: string; message: string } {
  const program = `
    import { pipeline } from 'headgate'
    import { kafka } from 'headgate/kafka'
    import { memory } from 'headgate/memory'
    const log = { debug() {}, info() {}, warn() {}, error() {} }
    const brokers = ['127.0.0.1:1']
    const error = await pipeline('p')${parts}.start({ log }).then(() => null, (thrown) => thrown)
    console.log(JSON.stringify({ code: error?.code, message: error?.message }))
    process.exit()`
  writeFileSync(join(folder, 'program.mjs'), program)
  return JSON.parse(execFileSync(process.execPath, ['program.mjs'], { cwd: folder, encoding: 'utf8' }))
}

test.each([
  ['a source', ".from(kafka.source({ brokers, group: 'g', topics: 't' })).to(memory.sink())"],
  ['a sink', ".from(memory.source([1])).to(kafka.sink({ brokers, topic: 't' }))"],
])('%s says at the start what is to be installed, in a version that it works with', (_, parts) => {
  const { code, message } = endOf(parts)
  expect(code).toBe('HG_OPTION_INVALID')
  expect(message).toContain(`npm install ${PEER}@${manifest.peerDependencies[PEER].replace('^', '')}`)
})
