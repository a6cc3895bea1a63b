/**
 * One connection to a broker: requests go out, and each answer finds its request by its number. The adapter makes it and
 * lends it to the library's requests, which ask for nothing but `send`. What arrives is read into one buffer that is
 * used again and again, and records to where they stay. Invariant: after the first failure, a request that timed
 * out included, all requests fail and nothing more is read, since a late answer cannot be told from one that is out of
 * step.
 */
import { connect as connectPlain, type NetConnectOpts, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import { type Frame, OutOfStep, owned, Pieces, type Reading, skip, tagged } from './pieces.ts'

/** A request as the library writes it. */
export interface Payload {
  readonly length: number
  readonly buffers: readonly Buffer[]
}

/** Reads an answer that has come whole. */
export type Parse = (correlationId: number, apiKey: number, apiVersion: number, body: Buffer) => unknown
/** Reads an answer while it comes. */
export type ReadAnswer = (frame: Frame, apiVersion: number) => Reading<unknown>

export type Answered = (error: Error | null, answer?: unknown) => void

export interface Request {
  readonly apiKey: number
  readonly apiVersion: number
  readonly createPayload: () => Payload
  /** One of them reads the answer. */
  readonly parse?: Parse
  readonly read?: ReadAnswer
  /** Whether the heads of request and answer end in tagged fields: those of most requests do. */
  readonly taggedRequest: boolean
  readonly taggedAnswer: boolean
}

export interface ConnectionSettings {
  readonly clientId: string
  /** How long it may take until requests can be made, authentication included, milliseconds. */
  readonly connectTimeoutMs: number
  /** How long an answer may take, milliseconds. */
  readonly requestTimeoutMs: number
  /** Null for a connection without TLS. */
  readonly tls: ConnectionOptions | null
  /**
   * Shows who we are, with requests made through `channel`. Resolves with how long the broker believes it,
   * milliseconds, or 0 for ever. Called again before that is over; null where nobody asks.
   */
  readonly authenticate: ((channel: Channel) => Promise<number>) | null
}

export interface Channel {
  request(request: Request, answered: Answered): void
}

interface Waiting extends Request {
  readonly answered: Answered
  readonly bytes: readonly Buffer[]
  readonly correlationId: number
  timer: NodeJS.Timeout | undefined
}

/** What one read of the socket brings at the most, bytes, where it is not known what comes. */
const READ_BYTES = 64 * 1024
/** As much where records come in smaller portions: several of them in one read cost less than their copies. */
const READ_MANY_BYTES = 256 * 1024
/** Where at least so many bytes are to come of one piece, they are read to where they stay. */
const READ_IN_PLACE_BYTES = 16 * 1024
const MOST_IN_FLIGHT = 100
/** The largest answer that is taken into memory whole, bytes: metadata of a million partitions is a tenth of it. */
const MOST_ANSWER_BYTES = 512 * 1024 * 1024
/** Requests up to this size are joined to one piece before they are written, bytes. */
const JOINED_BYTES = 64 * 1024
/** Of the time for which a broker believes us, the part after which we authenticate again. */
const RENEW_AFTER = 0.8

export class Connection implements Channel {
  readonly #settings: ConnectionSettings
  readonly #socket: Socket
  readonly #pieces: Pieces
  readonly #waiting = new Map<number, Waiting>()
  /** Not sent yet: while it authenticates, and beyond what may be in flight. */
  readonly #queue: Waiting[] = []
  readonly #ready: Promise<void>
  #settle: { resolve(): void; reject(error: Error): void } | null = null
  readonly #connecting: NodeJS.Timeout
  #renewing: NodeJS.Timeout | undefined
  #authenticating = true
  #correlationId = 0
  #failure: Error | null = null

  private constructor(host: string, port: number, settings: ConnectionSettings) {
    this.#settings = settings
    this.#pieces = new Pieces(this.#frames())
    this.#socket = this.#open(host, port)
    this.#ready = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject }
    })
    this.#connecting = setTimeout(() => {
      this.#fail(new Error(`connecting to ${host}:${port} timed out after ${settings.connectTimeoutMs} ms`))
    }, settings.connectTimeoutMs)
    this.#socket.setNoDelay(true)
    this.#socket.on('error', (error) => this.#fail(error))
    this.#socket.on('end', () => this.#fail(new Error('Connection closed')))
    this.#socket.on('close', () => this.#fail(new Error('Connection closed')))
    this.#socket.once(settings.tls === null ? 'connect' : 'secureConnect', () => this.#connected())
  }

  /** Rejects with what went wrong, an error of the socket or of `authenticate`. */
  static async connect(host: string, port: number, settings: ConnectionSettings): Promise<Connection> {
    const connection = new Connection(host, port, settings)
    await connection.#ready
    return connection
  }

  /** False once it was lost or closed. */
  get usable(): boolean {
    return this.#failure === null
  }

  /** Makes a request; `answered` hears of it exactly once. */
  request(request: Request, answered: Answered): void {
    const waiting = this.#prepare(request, answered)
    if (waiting === null) return
    if (this.#authenticating || this.#waiting.size >= MOST_IN_FLIGHT) this.#queue.push(waiting)
    else this.#send(waiting)
  }

  /** Ends it at once; requests that wait fail. */
  close(): void {
    this.#fail(new Error('Connection closed'))
  }

  #open(host: string, port: number): Socket {
    const usual = Buffer.allocUnsafeSlow(READ_BYTES)
    let large: Buffer | null = null
    const onread: NonNullable<NetConnectOpts['onread']> = {
      buffer: () => {
        const { open, lastOwnBytes } = this.#pieces
        if (open !== null && open.length >= READ_IN_PLACE_BYTES) return open
        if (lastOwnBytes === 0 || lastOwnBytes > READ_MANY_BYTES / 2) return usual
        return (large ??= Buffer.allocUnsafeSlow(READ_MANY_BYTES))
      },
      callback: (bytes, buffer) => this.#read(bytes, buffer === usual ? usual : buffer === large ? large : null),
    }
    const { tls } = this.#settings
    return tls === null
      ? connectPlain({ host, port, onread })
      : connectTls({ ...tls, host, port, onread } as ConnectionOptions)
  }

  #connected(): void {
    const { authenticate } = this.#settings
    if (authenticate === null) this.#begin()
    else this.#authenticate(authenticate)
  }

  #begin(): void {
    this.#authenticating = false
    clearTimeout(this.#connecting)
    this.#settle?.resolve()
    this.#settle = null
    this.#sendQueued()
  }

  /** Meanwhile a broker takes no other requests: they wait. */
  #authenticate(authenticate: NonNullable<ConnectionSettings['authenticate']>): void {
    this.#authenticating = true
    const channel: Channel = {
      request: (request, answered) => {
        const waiting = this.#prepare(request, answered)
        if (waiting !== null) this.#send(waiting)
      },
    }
    authenticate(channel).then(
      (lifetimeMs) => {
        if (this.#failure !== null) return
        if (lifetimeMs > 0) {
          const afterMs = Math.min(lifetimeMs * RENEW_AFTER, 2 ** 31 - 1)
          this.#renewing = setTimeout(() => this.#authenticate(authenticate), afterMs)
        }
        this.#begin()
      },
      (error: unknown) => this.#fail(error instanceof Error ? error : new Error(String(error))),
    )
  }

  #prepare(request: Request, answered: Answered): Waiting | null {
    if (this.#failure !== null) {
      answered(this.#failure)
      return null
    }
    this.#correlationId = (this.#correlationId + 1) & 0x7fffffff
    const correlationId = this.#correlationId
    let bytes: readonly Buffer[]
    try {
      bytes = framed(request, correlationId, this.#settings.clientId)
    } catch (error) {
      answered(error as Error)
      return null
    }
    const { requestTimeoutMs } = this.#settings
    const timer = setTimeout(() => {
      this.#fail(new Error(`the request timed out after ${requestTimeoutMs} ms`))
    }, requestTimeoutMs)
    return { ...request, answered, bytes, correlationId, timer }
  }

  #send(waiting: Waiting): void {
    this.#waiting.set(waiting.correlationId, waiting)
    const { bytes } = waiting
    if (bytes.length > 1) this.#socket.cork()
    for (const each of bytes) this.#socket.write(each)
    if (bytes.length > 1) this.#socket.uncork()
  }

  #sendQueued(): void {
    while (!this.#authenticating && this.#failure === null && this.#waiting.size < MOST_IN_FLIGHT) {
      const next = this.#queue.shift()
      if (next === undefined) return
      this.#send(next)
    }
  }

  /** `chunk`: where the bytes are; null when they are in their place already. */
  #read(bytes: number, chunk: Buffer | null): boolean {
    if (this.#failure !== null) return false
    try {
      if (chunk === null) this.#pieces.wrote(bytes)
      else this.#pieces.feed(chunk.subarray(0, bytes))
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)))
    }
    return this.#failure === null
  }

  /** Answers one after the other, for ever. */
  *#frames(): Reading<never> {
    for (;;) {
      const head = yield 8
      const frame = { left: head.readInt32BE(0) - 4 }
      const correlationId = head.readInt32BE(4)
      const waiting = this.#waiting.get(correlationId)
      if (frame.left < 0 || waiting === undefined) {
        throw new OutOfStep("what came is not Kafka's protocol, or answers nothing that was asked")
      }
      if (waiting.taggedAnswer) yield* tagged(frame)
      let failure: Error | null = null
      let answer: unknown
      if (waiting.read !== undefined) {
        answer = yield* waiting.read(frame, waiting.apiVersion)
        yield* skip(frame, frame.left)
      } else {
        if (frame.left > MOST_ANSWER_BYTES) throw new OutOfStep(`an answer is said to be ${frame.left} bytes long`)
        const body = yield* owned(frame, frame.left)
        try {
          answer = waiting.parse?.(correlationId, waiting.apiKey, waiting.apiVersion, body)
        } catch (error) {
          failure = error as Error
        }
      }
      this.#waiting.delete(correlationId)
      clearTimeout(waiting.timer)
      waiting.answered(failure, answer)
      this.#sendQueued()
    }
  }

  #fail(error: Error): void {
    if (this.#failure !== null) return
    this.#failure = error
    clearTimeout(this.#connecting)
    clearTimeout(this.#renewing)
    this.#socket.destroy()
    this.#settle?.reject(error)
    this.#settle = null
    const waiting = [...this.#waiting.values(), ...this.#queue]
    this.#waiting.clear()
    this.#queue.length = 0
    for (const { timer, answered } of waiting) {
      clearTimeout(timer)
      answered(error)
    }
  }
}

/** Length i32, API key i16, version i16, correlation id i32, client id, tagged fields, and the request. */
function framed(request: Request, correlationId: number, clientId: string): readonly Buffer[] {
  const { apiKey, apiVersion, taggedRequest, createPayload } = request
  const { buffers, length } = createPayload()
  const idBytes = Buffer.byteLength(clientId)
  const head = Buffer.alloc(14 + idBytes + (taggedRequest ? 1 : 0))
  head.writeInt32BE(head.length - 4 + length, 0)
  head.writeInt16BE(apiKey, 4)
  head.writeInt16BE(apiVersion, 6)
  head.writeInt32BE(correlationId, 8)
  head.writeInt16BE(idBytes, 12)
  head.write(clientId, 14)
  return length <= JOINED_BYTES ? [Buffer.concat([head, ...buffers])] : [head, ...buffers]
}
