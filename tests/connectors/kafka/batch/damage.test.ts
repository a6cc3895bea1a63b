/** Bytes that were cut, flipped or made up: the decoder tells what is wrong or gives what is right, and always ends. */
import { describe, expect, it } from 'vitest'
import type { RecordBlock } from '../../../../src/connectors/kafka/batch/block.ts'
import { type DecodeOptions, RecordBatches } from '../../../../src/connectors/kafka/batch/decode.ts'
import { encodeRecordBatch } from '../../../../src/connectors/kafka/batch/encode.ts'
import { HeadgateError } from '../../../../src/model/errors.ts'
import { Draw } from '../../../engine/draw.ts'
import {
  codec,
  compressionsHere,
  contents,
  type Decoded,
  placedAt,
  plainDecoding,
  plainEncoding,
  record,
} from './codec.ts'
import { oldMessage, oldSet } from './old-writer.ts'

const SEED = Number(process.env['HEADGATE_SEED'] ?? 1)
const ROUNDS = process.env['HEADGATE_LONG'] === '1' ? 20_000 : 500
/** The wire library's WebAssembly does not survive thousands of inputs that are damaged behind a right checksum. */
const ROUNDS_UNCHECKED = Math.min(ROUNDS, 3_000)

const records = (from: number, count: number): ReturnType<typeof record>[] =>
  Array.from({ length: count }, (_, i) =>
    record(i % 4 === 0 ? null : `value ${from + i}`, {
      key: i % 3 === 0 ? null : `key ${i}`,
      headers: i % 5 === 0 ? { trace: `of ${i}`, other: '' } : {},
    }),
  )

const present = compressionsHere.map((compression) => ({
  name: `the present format, ${compression}`,
  bytes: placedAt(encodeRecordBatch(records(100, 12), { ...plainEncoding, compression }), 100),
}))

const old = [0, 1].flatMap((magic) => {
  const messages = Array.from({ length: 6 }, (_, i) => ({ offset: 100 + i, value: `value ${i}`, key: `k${i}` }))
  return [
    { name: `magic ${magic}`, bytes: Buffer.concat(messages.map((each) => oldMessage(magic, each))) },
    { name: `magic ${magic}, gzip`, bytes: oldSet(magic, 'gzip', messages) },
  ]
})

interface Outcome {
  readonly records: Decoded[]
  readonly error: unknown
  readonly nextOffset: number
}

/** Reads to the end or to the first error, and touches everything. */
function outcome(bytes: Buffer, options: Partial<DecodeOptions> = {}): Outcome {
  const reader = new RecordBatches(bytes, { ...plainDecoding, maxRecordBatchBytes: 1_000_000, ...options })
  const blocks: RecordBlock[] = []
  let error: unknown = null
  let before = reader.leftBytes
  try {
    for (let block = reader.next(); block; block = reader.next()) {
      blocks.push(block)
      if (reader.leftBytes >= before) throw new Error('it does not get on')
      before = reader.leftBytes
    }
  } catch (thrown) {
    error = thrown
  }
  return { records: contents(blocks), error, nextOffset: reader.nextOffset }
}

/** No checksum covers the first offset of a batch. */
function withoutOffset(decoded: Decoded): unknown {
  return { ...decoded, offset: null }
}

function isDocumented(error: unknown): boolean {
  return (
    error === null ||
    (error instanceof HeadgateError && error.code === 'HG_STORAGE' && /at offset -?\d+ of t\/0/.test(error.message))
  )
}

describe.each([...present, ...old])('$name', ({ bytes }) => {
  const whole = outcome(bytes)

  it('gives a prefix of its records when it is cut, and no error', () => {
    for (let length = 0; length < bytes.length; length += 1) {
      const cut = outcome(bytes.subarray(0, length))
      expect(cut.error).toBeNull()
      expect(cut.records).toEqual(whole.records.slice(0, cut.records.length))
      expect(cut.records.length).toBeLessThan(whole.records.length)
    }
  })

  it('never gives other records when bits are flipped', () => {
    const draw = new Draw(SEED, 'flips')
    for (let round = 0; round < ROUNDS; round += 1) {
      const damaged = Buffer.from(bytes)
      const at = draw.int(0, bytes.length - 1)
      damaged[at]! ^= 1 << draw.int(0, 7)
      const { records, error } = outcome(damaged)
      const which = `HEADGATE_SEED=${SEED}, round ${round}: byte ${at}`
      expect(isDocumented(error), `${which}: ${error}`).toBe(true)
      expect(records.map(withoutOffset), which).toEqual(whole.records.slice(0, records.length).map(withoutOffset))
      for (const [index, { offset }] of records.entries())
        expect(offset).toBeGreaterThan(records[index - 1]?.offset ?? -1)
    }
  })
})

describe('without checksums', () => {
  it.each([...present, ...old])('$name is read, and damage of its frame is told or harmless', ({ bytes }) => {
    const draw = new Draw(SEED, 'unchecked')
    expect(outcome(bytes, { checkCrcs: false })).toEqual(outcome(bytes))
    for (let round = 0; round < ROUNDS_UNCHECKED; round += 1) {
      const damaged = Buffer.from(bytes)
      for (let flips = draw.int(1, 3); flips > 0; flips -= 1) damaged[draw.int(0, bytes.length - 1)] = draw.int(0, 255)
      const { error } = outcome(damaged, { checkCrcs: false })
      expect(isDocumented(error), `HEADGATE_SEED=${SEED}, round ${round}: ${error}`).toBe(true)
    }
  })

  it.each([
    ['the present format', present[0]!.bytes, 17],
    ['magic 1', old[2]!.bytes, 12],
  ])('a checksum that is wrong stops nobody: %s', (_, bytes, checksumAt) => {
    const damaged = Buffer.from(bytes)
    damaged[checksumAt]! ^= 1
    expect(String(outcome(damaged).error)).toContain('its checksum does not match its content')
    expect(outcome(damaged, { checkCrcs: false })).toEqual(outcome(bytes))
  })
})

describe('damage behind a checksum that is right', () => {
  const plain = present.filter(({ name }) => /none|gzip/.test(name))

  it.each(plain)('of $name is told or harmless', ({ bytes }) => {
    const draw = new Draw(SEED, 'behind checksums')
    for (let round = 0; round < ROUNDS_UNCHECKED; round += 1) {
      const damaged = Buffer.from(bytes)
      for (let flips = draw.int(1, 3); flips > 0; flips -= 1) damaged[draw.int(21, bytes.length - 1)] = draw.int(0, 255)
      damaged.writeUInt32BE(codec.crc32c(damaged.subarray(21)), 17)
      const { error } = outcome(damaged)
      expect(isDocumented(error), `HEADGATE_SEED=${SEED}, round ${round}: ${error}`).toBe(true)
    }
  })

  it('is told where counts, lengths and offsets do not fit', () => {
    const bytes = present[0]!.bytes
    const fields: [what: string, at: number, value: number][] = [
      ['2147483647 records are in', 57, 2_147_483_647],
      ['-1 records', 57, -1],
      ['bytes follow the last of its 11 records', 57, 11],
      ['its last offset is -5 behind', 23, -5],
      ['its offset', 23, 3],
    ]
    for (const [what, at, value] of fields) {
      const damaged = Buffer.from(bytes)
      damaged.writeInt32BE(value, at)
      damaged.writeUInt32BE(codec.crc32c(damaged.subarray(21)), 17)
      expect(String(outcome(damaged).error)).toContain(what)
    }
  })
})

it('bytes that are nothing at all are refused', () => {
  const draw = new Draw(SEED, 'noise')
  for (let round = 0; round < ROUNDS; round += 1) {
    const noise = Buffer.from(Array.from({ length: draw.int(0, 200) }, () => draw.int(0, draw.chance(0.5) ? 255 : 2)))
    const { records, error } = outcome(noise)
    expect(isDocumented(error), `HEADGATE_SEED=${SEED}, round ${round}: ${error}`).toBe(true)
    expect(records).toEqual([])
  }
})
