import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ANCHOR, decodeMetadata, encodeMetadata, usableBytes } from '../../../src/connectors/kafka/commit/metadata.ts'

describe('the metadata of a commit', () => {
  it('brings a done-ahead set back byte for byte', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 300 }), (doneAhead) => {
        const { doneAhead: read, isForeign } = decodeMetadata(encodeMetadata(doneAhead))
        expect(isForeign).toBe(false)
        expect(Buffer.from(read as Uint8Array).equals(doneAhead)).toBe(true)
      }),
    )
  })

  it('never is longer than the limit that its size was worked out from', () => {
    fc.assert(
      fc.property(fc.nat(5_000), (limit) => {
        const bytes = usableBytes(limit)
        if (bytes > 0) expect(encodeMetadata(new Uint8Array(bytes)).length).toBeLessThanOrEqual(limit)
      }),
    )
    expect(usableBytes(0)).toBe(0)
  })

  it.each(['', null, '\0', ANCHOR])('knows %j for none', (metadata) => {
    expect(decodeMetadata(metadata)).toEqual({ doneAhead: null, isForeign: false })
  })

  it.each(['hello', 'bm9uc2Vuc2U=', 'hg2:AAAA', 'hg1:not base64', 'hg1:AAA', '{"a":1}'])(
    'takes %j for foreign',
    (metadata) => {
      expect(decodeMetadata(metadata)).toEqual({ doneAhead: null, isForeign: true })
    },
  )
})
