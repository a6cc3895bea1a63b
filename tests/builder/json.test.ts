import type { StandardSchemaV1 } from '@standard-schema/spec'
import fc from 'fast-check'
import * as v from 'valibot'
import { describe, expect, expectTypeOf, it } from 'vitest'
import { z } from 'zod'
import { json } from '../../src/builder/json.ts'
import { pipeline } from '../../src/builder/pipeline.ts'
import type { Decoder } from '../../src/model/connector.ts'
import { HeadgateError } from '../../src/model/errors.ts'
import type { RecordInfo } from '../../src/model/record.ts'
import { NO_HEADERS } from '../../src/model/record.ts'
import { refusal, sourceOf } from './doubles.ts'

const record: RecordInfo = { key: null, partition: 'p/0', offset: 0, timestampMs: 0, headers: NO_HEADERS, bytes: 1 }
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

const ofZod = z.object({ id: z.string(), amount: z.number(), card: z.object({ number: z.string().min(4) }).optional() })
const ofValibot = v.object({ id: v.string(), amount: v.number(), tags: v.optional(v.array(v.string())) })

function failure(decode: () => unknown): HeadgateError {
  try {
    decode()
  } catch (error) {
    if (error instanceof HeadgateError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

describe('json', () => {
  it.each([
    ['zod', json(ofZod)],
    ['valibot', json(ofValibot)],
  ])('decodes bytes, text and values with %s', (_, decode: Decoder<unknown>) => {
    const value = { id: 'a', amount: 5 }
    expect(decode(bytes(JSON.stringify(value)), record)).toEqual(value)
    expect(decode(JSON.stringify(value), record)).toEqual(value)
    expect(decode(value, record)).toEqual(value)
    expect(decode(Buffer.from(JSON.stringify(value)), record)).toEqual(value)
  })

  it('gives the type of the schema to the pipeline', () => {
    expectTypeOf(json()).toEqualTypeOf<Decoder<unknown>>()
    expectTypeOf(json(ofZod)).toEqualTypeOf<Decoder<z.infer<typeof ofZod>>>()
    expectTypeOf(json(ofValibot)).toEqualTypeOf<Decoder<v.InferOutput<typeof ofValibot>>>()
    pipeline('p')
      .from(sourceOf('s', json(ofZod)))
      .tap((value) => expectTypeOf(value.amount).toEqualTypeOf<number>())
    pipeline('p')
      .from({ source: sourceOf('s', json(ofValibot)) })
      .tap((value) => expectTypeOf(value.id).toEqualTypeOf<string>())
  })

  it('passes on what the schema made of the value', () => {
    expect(json(z.object({ at: z.string().transform((text) => text.length) }))('{"at":"four"}', record)).toEqual({
      at: 4,
    })
  })

  it('names the fields that are wrong, five at most', () => {
    const error = failure(() => json(ofZod)('{"id":1,"card":{"number":"1"}}', record))
    expect(error.code).toBe('HG_RECORD_REJECTED')
    expect(error.message).toMatch(/^id: .+; amount: .+; card\.number: /)
    expect(failure(() => json(ofValibot)('{"id":"a","amount":1,"tags":["x",2]}', record)).message).toMatch(/^tags\.1: /)
    const many = failure(() => json(z.array(z.string()))(JSON.stringify(Array(9).fill(1)), record))
    expect(many.message).toMatch(/^0: .*; and 4 more$/)
    expect(failure(() => json(z.number())('"x"', record)).message).not.toMatch(/^: /)
  })

  it('tells sources that it reads text', () => {
    expect([json().readsText, json(ofZod).readsText]).toEqual([true, true])
  })

  it('rejects what is not JSON', () => {
    expect(failure(() => json(ofZod)(bytes('{'), record)).code).toBe('HG_RECORD_REJECTED')
    expect(failure(() => json()(bytes('nope'), record)).code).toBe('HG_RECORD_REJECTED')
  })

  it('rejects a record whose validation throws', () => {
    const hostile = z.string().refine(() => {
      throw new TypeError('surprise')
    })
    const error = failure(() => json(hostile)('"x"', record))
    expect(error.code).toBe('HG_RECORD_REJECTED')
    expect(error.message).toContain('the zod schema threw: surprise')
  })

  it('stops the pipeline for a schema that validates asynchronously', () => {
    const late = z.string().refine(async () => false)
    const error = failure(() => json(late)('"x"', record))
    expect(error).toMatchObject({ code: 'HG_OPTION_INVALID', scope: 'pipeline' })
    expect(error.message).toContain('expected a synchronous schema, got one of zod that validates asynchronously')
  })

  it('refuses what is not a schema', () => {
    const wrong = { parse: () => 1 } as unknown as StandardSchemaV1
    expect(refusal(() => json(wrong))).toContain('expected a Standard Schema (zod 3.24 or later')
    expect(refusal(() => json(null as unknown as StandardSchemaV1))).toContain('got null')
  })

  it('throws only rejections, whatever comes', () => {
    const decode = json(ofZod)
    fc.assert(
      fc.property(fc.oneof(fc.anything(), fc.string(), fc.uint8Array(), fc.json()), (raw) => {
        try {
          decode(raw, record)
        } catch (error) {
          expect(error).toMatchObject({ code: 'HG_RECORD_REJECTED' })
        }
      }),
    )
  })
})
