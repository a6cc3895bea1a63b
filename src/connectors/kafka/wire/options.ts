/**
 * The options that every connector of Kafka has: where the brokers are, and how to speak to them. `source` and `sink`
 * spread `connectionShape` into their schemas and take the parsed result to `Cluster.connect`. Invariant: what is
 * secret (`sasl.password`, `sasl.token`, `tls.key`, `tls.passphrase`) stands in no error and no log.
 */

import { z } from 'zod'
import { credential } from '../../../model/secrets.ts'
import { fn, integer, text } from './schema.ts'

/** A secret, or a function that is asked for it at each connection (and each renewal of a token). */
export type Secret = string | (() => string | Promise<string>)

export interface KafkaTlsOptions {
  /** Certificates to trust instead of the system's, PEM. */
  readonly ca?: string | Buffer | readonly (string | Buffer)[]
  /** The client's certificate and key, PEM, where the brokers ask for one. */
  readonly cert?: string | Buffer
  readonly key?: string | Buffer
  readonly passphrase?: string
  /** The name that the broker's certificate must be for; default the host that is connected to. */
  readonly servername?: string
  /** False accepts any certificate: for experiments alone. Default true. */
  readonly rejectUnauthorized?: boolean
}

export type KafkaSaslOptions =
  | {
      readonly mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512'
      readonly username: string
      readonly password: Secret
    }
  | {
      readonly mechanism: 'OAUTHBEARER'
      readonly token: Secret
      readonly extensions?: Readonly<Record<string, string>>
    }

export interface KafkaConnectionOptions {
  /** Some of the brokers, as `host:port`; the others are found through them. */
  readonly brokers: readonly string[]
  /** How this client is named in the broker's logs, metrics and quotas; default `'headgate'`. */
  readonly clientId?: string
  /** True, or what to trust and to show; default no TLS. */
  readonly tls?: boolean | KafkaTlsOptions
  readonly sasl?: KafkaSaslOptions
  /** How long a connection may take to be made, authentication included, milliseconds. Default 5,000, range 100–600,000. */
  readonly connectTimeoutMs?: number
  /** How long a broker may take to answer, milliseconds; then the connection is made anew. Default 30,000, range 100–600,000. */
  readonly requestTimeoutMs?: number
  /** How often topics and leaders are looked up although nothing failed, milliseconds. Default 60,000, range 100–3,600,000. */
  readonly metadataIntervalMs?: number
}

const brokerError = "'host:port', for example 'kafka-1:9092'"
const broker = z.string({ error: brokerError }).refine((given) => splitAddress(given) !== null, { error: brokerError })

const pem = z.union([z.string(), z.instanceof(Buffer)], { error: 'PEM as text or a Buffer' })

const tls = z.union(
  [
    z.boolean(),
    z.strictObject({
      ca: z.union([pem, z.array(pem)], { error: 'PEM as text or a Buffer' }).optional(),
      cert: pem.optional(),
      key: credential(z.union([pem], { error: 'PEM as text or a Buffer' })).optional(),
      passphrase: credential(z.string({ error: 'text' })).optional(),
      servername: z.string({ error: 'text' }).optional(),
      rejectUnauthorized: z.boolean({ error: 'true or false' }).optional(),
    }),
  ],
  { error: 'true, false, or an object with ca, cert, key, passphrase, servername or rejectUnauthorized' },
)

const secret = credential(
  z.union([z.string().min(1), fn<() => string | Promise<string>>()], {
    error: 'a text or a function that returns one',
  }),
)

const sasl = z.discriminatedUnion(
  'mechanism',
  [
    z.strictObject({
      mechanism: z.enum(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512']),
      username: z.string({ error: 'a text' }).min(1, { error: 'a text' }),
      password: secret,
    }),
    z.strictObject({
      mechanism: z.literal('OAUTHBEARER'),
      token: secret,
      extensions: credential(z.record(z.string(), z.string(), { error: 'an object of texts' })).optional(),
    }),
  ],
  {
    error:
      "an object with mechanism 'PLAIN', 'SCRAM-SHA-256' or 'SCRAM-SHA-512', username and password, " +
      "or with mechanism 'OAUTHBEARER' and token",
  },
)

/** To be spread into `z.strictObject({ ...connectionShape, … })`. */
export const connectionShape = {
  brokers: z.array(broker, { error: "a list of 'host:port'" }).min(1, { error: "a list of at least one 'host:port'" }),
  clientId: text.default('headgate'),
  tls: tls.default(false),
  sasl: sasl.optional(),
  connectTimeoutMs: integer(100, 600_000).default(5_000),
  requestTimeoutMs: integer(100, 600_000).default(30_000),
  metadataIntervalMs: integer(100, 3_600_000).default(60_000),
} as const

/** These options alone, for what is neither source nor sink. */
export const connectionSchema = z.strictObject(connectionShape)

/** What `connectionShape` parses to; the options of a source or a sink are assignable to it. */
export type Connecting = z.output<typeof connectionSchema>

/** `kafka-1:9092` or `[::1]:9092` → host and port; null when it is neither. */
export function splitAddress(address: string): { host: string; port: number } | null {
  const match = /^(\[[0-9a-fA-F:.]+\]|[^\s:/]+):(\d{1,5})$/.exec(address)
  if (!match) return null
  const port = Number(match[2])
  const host = (match[1] as string).replace(/^\[|\]$/g, '')
  return port >= 1 && port <= 65_535 ? { host, port } : null
}
