import { expect, test } from 'vitest'
import { murmur2, partitionOf } from '../../../../src/connectors/kafka/produce/partitioner.ts'

/** From `UtilsTest.testMurmur2` of Apache Kafka. */
const KNOWN: readonly (readonly [string, number])[] = [
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107],
]

test.each(KNOWN)('hashes %s as the Java client does', (text, hash) => {
  expect(murmur2(Buffer.from(text))).toBe(hash)
})

test('takes the lower 31 bits of the hash, also of a negative one', () => {
  for (const [text, hash] of KNOWN)
    for (const partitions of [1, 3, 8, 100])
      expect(partitionOf(Buffer.from(text), partitions)).toBe(
        Number(BigInt.asUintN(31, BigInt(hash)) % BigInt(partitions)),
      )
})
