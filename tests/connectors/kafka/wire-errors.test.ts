import { protocolErrorsCodesById } from '@platformatic/kafka'
import { describe, expect, it } from 'vitest'
import { brokerError, nameOf, remedyOf } from '../../../src/connectors/kafka/wire/errors.ts'

describe("what brokers' error codes mean", () => {
  const codes = Object.entries(protocolErrorsCodesById as Record<string, string>).map(
    ([code, name]) => [Number(code), name] as const,
  )

  it('has the names of the protocol', () => {
    const known = codes.filter(([code]) => code > 0 && nameOf(code) !== `error ${code}`)
    expect(known.length).toBeGreaterThan(50)
    for (const [code, name] of known) expect(nameOf(code)).toBe(name)
  })

  it('says something for every code, also those that are not known yet', () => {
    for (const code of [...codes.map(([each]) => each), 4_711]) {
      const { message } = brokerError(code, 'the request', 'what the broker adds')
      expect(message).toContain('the request failed')
      expect(message).toContain('what the broker adds')
    }
    expect(brokerError(4_711, 'the request')).toMatchObject({ code: 'HG_CONNECTION_LOST' })
    expect(remedyOf(4_711)).toBe('retry')
  })

  it('gives up only where no retry can help', () => {
    expect(brokerError(29, 'x')).toMatchObject({ code: 'HG_OPTION_INVALID', retryable: false })
    expect(brokerError(22, 'x')).toMatchObject({ code: 'HG_FENCED' })
    expect(brokerError(6, 'x')).toMatchObject({ code: 'HG_CONNECTION_LOST', retryable: true })
  })
})
