/**
 * The only file that knows names of `@platformatic/kafka` (`library.ts` loads it): it makes the requests of the newest
 * version that both sides know, shows brokers who we are, and lends out compression and checksums. `cluster.ts` asks for
 * connections; `calls.ts` says what can be asked. Invariant: a connection on which a request failed without an answer is
 * never used again, and an error code in a response is data, not an exception.
 */
import type { ConnectionOptions } from 'node:tls'
import type * as Library from '@platformatic/kafka'
import { describe, HeadgateError } from '../../../model/errors.ts'
import type { BatchCodec } from '../batch/codec.ts'
import { batchCodec } from '../batch/compressions.ts'
import type { CallName, Calls } from './calls.ts'
import {
  type Answered,
  type Channel,
  Connection,
  type ConnectionSettings,
  type Payload,
  type ReadAnswer,
} from './connection.ts'
import { connectionError, requestError, TokenRefused } from './failure.ts'
import { readFetch } from './fetch-answer.ts'
import { encodeFetch } from './fetch-request.ts'
import { encodeProduce, parseProduce } from './formats.ts'
import { parseGroupMembers } from './group-members.ts'
import { loadLibrary, loadSasl, type Module, PEER } from './library.ts'
import type { Connecting, Secret } from './options.ts'

const INSTALL = `Kafka needs the package ${PEER}, which is not installed: npm install ${PEER}@1.35.0`

/** CRC-32C of the digits 1 to 9, by which implementations are known to be right. */
const CHECK_VALUE = 0xe3069283

type Reader = Library.Reader
type Writer = Library.Writer

interface Version {
  readonly createRequest: (...args: never[]) => Payload
  readonly parseResponse?: (correlationId: number, apiKey: number, apiVersion: number, reader: Reader) => unknown
  /** Instead of `parseResponse`, for an answer that is read while it comes. */
  readonly read?: ReadAnswer
}

interface Api {
  readonly key: number
  /** By version. */
  readonly versions: Readonly<Record<number, Version>>
}

/** A request in the version that is spoken. */
type Send = (...args: unknown[]) => Promise<unknown>

/** What a library that is loaded can do. */
export interface Wire {
  readonly codec: BatchCodec
  /** Rejects with `HG_CONNECTION_LOST`, or with `HG_OPTION_INVALID` where TLS or SASL is the reason. */
  connect(host: string, port: number, options: Connecting, requestTimeoutMs: number): Promise<WireConnection>
}

let loading: Promise<Wire> | null = null

/** Loads the library, once. Rejects with `HG_OPTION_INVALID` and the command that installs it. */
export function loadWire(): Promise<Wire> {
  loading ??= loadLibrary().then(wireOf, (cause: unknown) => {
    loading = null
    const code = (cause as NodeJS.ErrnoException).code
    const isMissing = code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND'
    const text = isMissing ? INSTALL : `${PEER} cannot be loaded: ${describe(cause)}`
    throw new HeadgateError('HG_OPTION_INVALID', text, { cause })
  })
  return loading
}

function wireOf(library: Module): Wire {
  const apis = apisOf(library)
  const { snappy, lz4 } = library.compressionsAlgorithms
  return {
    codec: batchCodec({
      crc32c: checksumOf(library),
      snappyCompress: (bytes) => snappy.compressSync(bytes),
      snappyDecompress: (bytes) => snappy.decompressSync(bytes),
      lz4Compress: (bytes) => lz4.compressSync(bytes),
      lz4Decompress: (bytes) => lz4.decompressSync(bytes),
    }),
    async connect(host, port, options, requestTimeoutMs) {
      const address = `${host.includes(':') ? `[${host}]` : host}:${port}`
      let connection: Connection | null = null
      try {
        connection = await Connection.connect(host, port, {
          clientId: options.clientId,
          connectTimeoutMs: options.connectTimeoutMs,
          requestTimeoutMs,
          tls: tlsOf(options, host),
          authenticate: saslOf(library, options),
        })
        const made = new WireConnection(connection, library, apis, address)
        await made.negotiate(options.clientId)
        return made
      } catch (error) {
        connection?.close()
        if (error instanceof HeadgateError) throw error
        throw connectionError(error, address, options)
      }
    },
  }
}

export class WireConnection {
  readonly address: string
  readonly #connection: Connection
  readonly #library: Module
  readonly #apis: Readonly<Record<CallName, Api>>
  readonly #sends = new Map<CallName, Send | null>()
  #answered = false
  #supported = new Map<number, { readonly min: number; readonly max: number }>()

  constructor(connection: Connection, library: Module, apis: Readonly<Record<CallName, Api>>, address: string) {
    this.#connection = connection
    this.#library = library
    this.#apis = apis
    this.address = address
  }

  /** False once the connection was lost, closed, or given up after a time-out. */
  get usable(): boolean {
    return this.#connection.usable
  }

  async negotiate(clientName: string): Promise<void> {
    const { apiVersionsV3 } = this.#library
    const { apiKeys } = await new Promise<Awaited<ReturnType<typeof apiVersionsV3.api.async>>>((resolve, reject) => {
      const answered: Answered = (error, answer) => (error ? reject(error) : resolve(answer as never))
      const createRequest = (): Writer => apiVersionsV3.createRequest(softwareName(clientName), '0')
      // The head of this answer is that of the first versions, so that every client can read it.
      speaker(this.#library, this.#connection).send(
        18,
        3,
        createRequest,
        apiVersionsV3.parseResponse,
        true,
        false,
        answered,
      )
    })
    for (const { apiKey, minVersion, maxVersion } of apiKeys) {
      this.#supported.set(apiKey, { min: minVersion, max: maxVersion })
    }
  }

  /**
   * Makes one request. Rejects with `HG_CONNECTION_LOST` when no answer came, and with `HG_OPTION_INVALID` when the
   * broker does not know the request.
   */
  async call<N extends CallName>(name: N, ...args: Parameters<Calls[N]>): Promise<ReturnType<Calls[N]>> {
    const send = this.#send(name)
    if (send === null) {
      const text =
        `The broker ${this.address} does not know the request ${name} in a version that is known here: ` +
        (name === 'consumerGroupHeartbeat'
          ? "groupProtocol 'consumer' needs Kafka 4.0 (or 3.7 with the new group coordinator); leave it out, or set 'classic'"
          : 'Kafka 3.0 or newer is needed')
      throw new HeadgateError('HG_OPTION_INVALID', text)
    }
    try {
      const answer = (await send(...args)) as ReturnType<Calls[N]>
      this.#answered = true
      return answer
    } catch (error) {
      const response = (error as { response?: unknown }).response
      if (response !== undefined) return response as ReturnType<Calls[N]>
      // An answer that cannot be read may be out of step with the ones behind it.
      this.close()
      throw requestError(error, name, this.address, !this.#answered)
    }
  }

  /** Ends it at once; requests in flight reject. */
  close(): void {
    this.#connection.close()
  }

  /** The request in the newest common version; null when there is none. */
  #send(name: CallName): Send | null {
    let send = this.#sends.get(name)
    if (send !== undefined) return send
    const { key, versions } = this.#apis[name]
    const range = this.#supported.get(key)
    const common = Object.keys(versions)
      .map(Number)
      .filter((version) => range !== undefined && version >= range.min && version <= range.max)
    const newest = Math.max(...common)
    const version = versions[newest]
    send = version === undefined ? null : this.#bind(key, newest, version)
    this.#sends.set(name, send)
    return send
  }

  #bind(apiKey: number, apiVersion: number, version: Version): Send {
    const createRequest = version.createRequest as (...args: unknown[]) => Payload
    const { read, parseResponse } = version
    const { Reader } = this.#library
    const reading = read
      ? { read }
      : {
          parse: (id: number, key: number, spoken: number, body: Buffer) =>
            parseResponse?.(id, key, spoken, Reader.from(body)),
        }
    const fixed = { apiKey, apiVersion, taggedRequest: true, taggedAnswer: true, ...reading }
    return (...args) =>
      new Promise((resolve, reject) => {
        this.#connection.request({ ...fixed, createPayload: () => createRequest(...args) }, (error, answer) =>
          error ? reject(error) : resolve(answer),
        )
      })
  }
}

/** What the library's own requests take for a connection. */
interface Speaker {
  send(
    apiKey: number,
    apiVersion: number,
    createRequest: () => Writer,
    parse: (correlationId: number, apiKey: number, apiVersion: number, reader: Reader) => unknown,
    taggedRequest: boolean,
    taggedAnswer: boolean,
    answered: Answered,
  ): void
}

function speaker({ Reader }: Module, channel: Channel): Speaker {
  return {
    send: (apiKey, apiVersion, createPayload, parse, taggedRequest, taggedAnswer, answered) =>
      channel.request(
        {
          ...{ apiKey, apiVersion, createPayload, taggedRequest, taggedAnswer },
          parse: (id, key, version, body) => parse(id, key, version, Reader.from(body)),
        },
        answered,
      ),
  }
}

function apisOf(library: Module): Readonly<Record<CallName, Api>> {
  const api = (key: number, versions: Record<number, unknown>): Api => ({
    key,
    versions: versions as Record<number, Version>,
  })
  const fetch = (number: number): Version => ({
    createRequest: (...[request]: Parameters<Calls['fetch']>) => encodeFetch(request, number),
    read: readFetch,
  })
  const produce = {
    createRequest: ((...args: Parameters<Calls['produce']>) =>
      encodeProduce(library.Writer.create(), ...args)) as Version['createRequest'],
    parseResponse: ((_correlationId, _key, _version, reader) => parseProduce(reader)) as NonNullable<
      Version['parseResponse']
    >,
  }
  return {
    produce: api(0, { 9: produce, 10: produce, 11: produce }),
    fetch: api(1, {
      12: fetch(12),
      13: fetch(13),
      14: fetch(14),
      15: fetch(15),
      16: fetch(16),
      17: fetch(17),
    }),
    listOffsets: api(2, { 7: library.listOffsetsV7, 8: library.listOffsetsV8, 9: library.listOffsetsV9 }),
    metadata: api(3, {
      9: library.metadataV9,
      10: library.metadataV10,
      11: library.metadataV11,
      12: library.metadataV12,
    }),
    offsetCommit: api(8, { 8: library.offsetCommitV8, 9: library.offsetCommitV9 }),
    offsetFetch: api(9, { 8: library.offsetFetchV8, 9: library.offsetFetchV9 }),
    findCoordinator: api(10, {
      4: library.findCoordinatorV4,
      5: library.findCoordinatorV5,
      6: library.findCoordinatorV6,
    }),
    joinGroup: api(11, {
      6: library.joinGroupV6,
      7: library.joinGroupV7,
      8: library.joinGroupV8,
      9: library.joinGroupV9,
    }),
    heartbeat: api(12, { 4: library.heartbeatV4 }),
    leaveGroup: api(13, { 4: library.leaveGroupV4, 5: library.leaveGroupV5 }),
    describeGroups: api(15, { 5: library.describeGroupsV5 }),
    syncGroup: api(14, { 4: library.syncGroupV4, 5: library.syncGroupV5 }),
    initProducerId: api(22, { 4: library.initProducerIdV4, 5: library.initProducerIdV5 }),
    // From version 4 on only brokers may send it.
    addPartitionsToTxn: api(24, { 3: library.addPartitionsToTxnV3 }),
    addOffsetsToTxn: api(25, { 3: library.addOffsetsToTxnV3, 4: library.addOffsetsToTxnV4 }),
    endTxn: api(26, { 3: library.endTxnV3, 4: library.endTxnV4 }),
    txnOffsetCommit: api(28, { 3: library.txnOffsetCommitV3, 4: library.txnOffsetCommitV4 }),
    consumerGroupHeartbeat: api(68, { 0: library.consumerGroupHeartbeatV0, 1: library.consumerGroupHeartbeatV1 }),
    consumerGroupDescribe: api(69, {
      0: {
        createRequest: library.consumerGroupDescribeV0.createRequest,
        parseResponse: ((_correlationId, _key, _version, reader) =>
          parseGroupMembers(reader)) as Version['parseResponse'],
      },
    }),
  }
}

/** The library copies bytes that it is given as they are, but not what its writer holds. */
function checksumOf(library: Module): (bytes: Uint8Array) => number {
  const uncopied = (bytes: Uint8Array): number =>
    library.crc32c(library.Writer.create().append(bytes as Buffer).dynamicBuffer) >>> 0
  const isRight = uncopied(Buffer.from('123456789')) === CHECK_VALUE
  return isRight ? uncopied : (bytes) => library.crc32c(bytes as Buffer) >>> 0
}

/** Brokers refuse names with anything but letters, digits, '.' and '-'. */
function softwareName(clientName: string): string {
  const name = clientName.replaceAll(/[^A-Za-z0-9.-]/g, '-').replaceAll(/^[.-]+|[.-]+$/g, '')
  return name === '' ? 'headgate' : name
}

function tlsOf({ tls }: Connecting, host: string): ConnectionOptions | null {
  if (tls === false) return null
  const given = tls === true ? {} : tls
  const isName = !/^[\d.]+$|:/.test(host)
  return { ...(isName ? { servername: host } : {}), ...given } as ConnectionOptions
}

type Authenticated = { readonly authBytes: Buffer; readonly sessionLifetimeMs: bigint }

function saslOf(library: Module, { sasl }: Connecting): ConnectionSettings['authenticate'] {
  if (sasl === undefined) return null
  return async (channel) => {
    const { saslPlain, saslScramSha, saslOAuthBearer, saslHandshakeV1, saslAuthenticateV2 } = await loadSasl()
    const connection = speaker(library, channel) as unknown as Library.Connection
    await saslHandshakeV1.api.async(connection, sasl.mechanism)
    const { api } = saslAuthenticateV2
    const { authBytes, sessionLifetimeMs } = await new Promise<Authenticated>((resolve, reject) => {
      const done = (error: Error | null, answer?: unknown): void =>
        error ? reject(error) : resolve(answer as Authenticated)
      if (sasl.mechanism === 'OAUTHBEARER') {
        saslOAuthBearer.authenticate(api, connection, sasl.token as Secret, sasl.extensions ?? {}, done)
      } else if (sasl.mechanism === 'PLAIN') {
        saslPlain.authenticate(api, connection, sasl.username, sasl.password as Secret, done)
      } else {
        const algorithm = sasl.mechanism === 'SCRAM-SHA-256' ? 'SHA-256' : 'SHA-512'
        const { defaultCrypto } = saslScramSha
        saslScramSha.authenticate(
          api,
          connection,
          algorithm,
          sasl.username,
          sasl.password as Secret,
          defaultCrypto,
          done,
        )
      }
    })
    // A broker does not answer a token that it refuses with an error, but with JSON about it, and waits for one more
    // message (RFC 7628, 3.2.3).
    if (sasl.mechanism === 'OAUTHBEARER' && authBytes.length > 0) throw new TokenRefused(authBytes.toString())
    return Number(sessionLifetimeMs)
  }
}
