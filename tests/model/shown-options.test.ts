/** Options as people may look at them: with what is secret masked where they are made. */
import { expect, test } from 'vitest'
import { z } from 'zod'
import { credential, MASK } from '../../src/model/secrets.ts'
import { shownOptions } from '../../src/model/shown-options.ts'

test('nested options have the names of those around them, and plain values', () => {
  const options = { brokers: ['a:1', 'b:2'], tls: { servername: 'a' }, decode: () => 1, topics: [/^x/], none: null }
  expect(shownOptions(options)).toEqual({
    brokers: 'a:1, b:2',
    'tls.servername': 'a',
    decode: 'a function',
    topics: '/^x/',
    none: null,
  })
})

test('what the schema marks is masked, through defaults, unions and transforms, and so is all below it', () => {
  const schema = z
    .strictObject({
      pin: credential(z.number()).default(1),
      access: z.union([z.boolean(), z.strictObject({ phrase: credential(z.string()).optional(), who: z.string() })]),
      extra: credential(z.record(z.string(), z.string())),
    })
    .transform((given) => given)
  const given = schema.parse({ pin: 4711, access: { phrase: 'planted', who: 'me' }, extra: { a: 'planted' } })
  expect(shownOptions(given, schema)).toEqual({
    pin: MASK,
    'access.phrase': MASK,
    'access.who': 'me',
    extra: MASK,
  })
})

test('an option that was left out is not shown, masked or not', () => {
  const schema = z.object({ code: credential(z.string()).optional() })
  expect(shownOptions(schema.parse({}), schema)).toEqual({})
})

test.each([
  'password', 'dbPassword', 'passphrase', 'client_secret', 'apiKey', 'api-key', 'token', 'accessToken', 'credentials',
  'authorization', 'privateKey',
])('without a schema %s is masked by its name', (name) => {
  expect(shownOptions({ [name]: 'planted', nested: { [name]: () => 'planted' } })).toEqual({
    [name]: MASK,
    [`nested.${name}`]: MASK,
  })
}) // biome-ignore format: a list reads better in rows

test.each(['key', 'keyEncoding', 'tokens', 'maxTokens', 'topic'])('%s is no secret', (name) => {
  expect(shownOptions({ [name]: 'seen' })).toEqual({ [name]: 'seen' })
})

test('credentials within a text are masked wherever it stands', () => {
  const key = '-----BEGIN PRIVATE KEY-----\nplanted\n-----END PRIVATE KEY-----'
  const shown = shownOptions({ url: 'postgres://app:planted@db/x', urls: ['amqp://planted@mq'], pem: key })
  expect(JSON.stringify(shown)).not.toContain('planted')
  expect(shown['url']).toBe('postgres://***@db/x')
})
