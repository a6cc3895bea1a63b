/** A connection against a server on the loopback that answers as the test says, byte by byte if it must. */
import { createServer, type Server, type Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import {
  type Channel,
  Connection,
  type ConnectionSettings,
  type Request,
} from '../../../../src/connectors/kafka/wire/connection.ts'
import { OutOfStep, owned } from '../../../../src/connectors/kafka/wire/pieces.ts'

const API = 3
const VERSION = 9
/** A time that passes in no test. */
const LONG_MS = 60_000

interface Asked {
  readonly apiKey: number
  readonly apiVersion: number
  readonly correlationId: number
  readonly clientId: string
  readonly body: string
}

/** Takes requests apart and hands each to `answer`. */
class Broker {
  readonly asked: Asked[] = []
  readonly sockets: Socket[] = []
  readonly #server: Server
  #wake: () => void = () => {}

  private constructor(answer: (asked: Asked, socket: Socket) => void) {
    this.#server = createServer((socket) => {
      this.sockets.push(socket)
      let bytes = Buffer.alloc(0)
      socket.on('error', () => {})
      socket.on('data', (chunk) => {
        bytes = Buffer.concat([bytes, chunk as Buffer])
        while (bytes.length >= 4 && bytes.length >= 4 + bytes.readInt32BE(0)) {
          const frame = bytes.subarray(4, 4 + bytes.readInt32BE(0))
          bytes = bytes.subarray(4 + frame.length)
          const idEnd = 10 + frame.readInt16BE(8)
          const asked = {
            ...{ apiKey: frame.readInt16BE(0), apiVersion: frame.readInt16BE(2), correlationId: frame.readInt32BE(4) },
            ...{ clientId: frame.toString('utf8', 10, idEnd), body: frame.toString('utf8', idEnd + 1) },
          }
          this.asked.push(asked)
          answer(asked, socket)
          this.#wake()
        }
      })
    })
  }

  static async start(answer: (asked: Asked, socket: Socket) => void): Promise<Broker> {
    const broker = new Broker(answer)
    await new Promise<void>((resolve) => broker.#server.listen(0, '127.0.0.1', resolve))
    return broker
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port
  }

  async until(count: number): Promise<void> {
    while (this.asked.length < count) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}

const brokers: Broker[] = []
const connections: Connection[] = []
afterEach(async () => {
  for (const connection of connections.splice(0)) connection.close()
  for (const broker of brokers.splice(0)) await broker.stop()
})

async function brokerThat(answer: (asked: Asked, socket: Socket) => void): Promise<Broker> {
  const broker = await Broker.start(answer)
  brokers.push(broker)
  return broker
}

async function connect(broker: Broker, settings: Partial<ConnectionSettings> = {}): Promise<Connection> {
  const connection = await Connection.connect('127.0.0.1', broker.port, {
    ...{ clientId: 'tester', connectTimeoutMs: LONG_MS, requestTimeoutMs: LONG_MS, tls: null, authenticate: null },
    ...settings,
  })
  connections.push(connection)
  return connection
}

const plain = (text: string): Request => ({
  ...{ apiKey: API, apiVersion: VERSION, taggedRequest: true, taggedAnswer: true },
  createPayload: () => ({ length: Buffer.byteLength(text), buffers: [Buffer.from(text)] }),
  parse: (_id, _key, _version, body) => body.toString(),
})

function ask(channel: Channel, request: Request): Promise<unknown> {
  return new Promise((resolve, reject) => {
    channel.request(request, (error, answer) => (error ? reject(error) : resolve(answer)))
  })
}

/** With a head of one tagged field, which nobody knows. */
function answerOf(correlationId: number, text: string): Buffer {
  const tagged = Buffer.from([1, 5, 3, 1, 2, 3])
  const head = Buffer.alloc(8)
  head.writeInt32BE(4 + tagged.length + Buffer.byteLength(text), 0)
  head.writeInt32BE(correlationId, 4)
  return Buffer.concat([head, tagged, Buffer.from(text)])
}

describe('requests and answers', () => {
  test('each answer finds its request, in whatever order they come', async () => {
    const asked: Asked[] = []
    const broker = await brokerThat((each, socket) => {
      asked.push(each)
      if (asked.length < 3) return
      for (const { correlationId, body } of asked.toReversed()) socket.write(answerOf(correlationId, `re: ${body}`))
    })
    const connection = await connect(broker)
    const answers = await Promise.all(['one', 'two', 'three'].map((text) => ask(connection, plain(text))))
    expect(answers).toEqual(['re: one', 're: two', 're: three'])
    expect(broker.asked[0]).toMatchObject({ apiKey: API, apiVersion: VERSION, clientId: 'tester', body: 'one' })
  })

  test('an answer that comes byte by byte is the same', async () => {
    const broker = await brokerThat(({ correlationId, body }, socket) => {
      socket.setNoDelay(true)
      for (const byte of answerOf(correlationId, body)) socket.write(Buffer.from([byte]))
    })
    const connection = await connect(broker)
    expect(await ask(connection, plain('slowly'))).toBe('slowly')
    expect(await ask(connection, plain('again'))).toBe('again')
  })

  test('a large request and a large answer go through whole', async () => {
    const broker = await brokerThat(({ correlationId, body }, socket) => socket.write(answerOf(correlationId, body)))
    const connection = await connect(broker)
    const text = 'x'.repeat(1_000_000)
    expect(await ask(connection, plain(text))).toBe(text)
  })

  test('answers of all sizes in one stream, however it is cut, stay as they came', async () => {
    const sizes = [1, 16_383, 16_384, 16_385, 65_536, 100_001, 3, 400_000, 20_000, 0, 70_000]
    const bodyOf = (index: number): Buffer => Buffer.alloc(sizes[index] as number, `${index} of them, `)
    const asked: Asked[] = []
    const broker = await brokerThat((each, socket) => {
      asked.push(each)
      if (asked.length < sizes.length) return
      const stream = Buffer.concat(asked.map(({ correlationId, body }) => answerOf(correlationId, `${bodyOf(+body)}`)))
      for (let at = 0; at < stream.length; at += 31_337) socket.write(stream.subarray(at, at + 31_337))
    })
    const connection = await connect(broker)
    const parse = (_id: number, _key: number, _version: number, body: Buffer): Buffer => body
    const answers = await Promise.all(sizes.map((_, index) => ask(connection, { ...plain(`${index}`), parse })))
    expect(answers.map((answer, index) => bodyOf(index).equals(answer as Buffer))).toEqual(sizes.map(() => true))
  })

  test('an answer that is read while it comes may leave a rest', async () => {
    const broker = await brokerThat(({ correlationId, body }, socket) => socket.write(answerOf(correlationId, body)))
    const connection = await connect(broker)
    const { parse: _, ...rest } = plain('kept and left')
    const first = ask(connection, {
      ...rest,
      *read(frame) {
        return (yield* owned(frame, 4)).toString()
      },
    })
    expect([await first, await ask(connection, plain('next'))]).toEqual(['kept', 'next'])
  })

  test('an answer that cannot be read fails its request alone', async () => {
    const broker = await brokerThat(({ correlationId, body }, socket) => socket.write(answerOf(correlationId, body)))
    const connection = await connect(broker)
    const parse = (): never => {
      throw new Error('not as it should be')
    }
    await expect(ask(connection, { ...plain('bad'), parse })).rejects.toThrow('not as it should be')
    expect(await ask(connection, plain('good'))).toBe('good')
  })

  test('more than a hundred requests wait for their turn', async () => {
    let hold = true
    const held: (() => void)[] = []
    const broker = await brokerThat(({ correlationId, body }, socket) => {
      const answer = (): void => void socket.write(answerOf(correlationId, body))
      if (hold) held.push(answer)
      else answer()
    })
    const connection = await connect(broker)
    const answers = Array.from({ length: 150 }, (_, index) => ask(connection, plain(`${index}`)))
    await broker.until(100)
    expect(broker.asked.length).toBe(100)
    hold = false
    for (const answer of held) answer()
    expect(await Promise.all(answers)).toEqual(Array.from({ length: 150 }, (_, index) => `${index}`))
  })
})

describe('what goes wrong', () => {
  const lengths = { 'a negative length': -5, 'a length that is too short': 3 }
  test.each(Object.entries(lengths))('%s ends the connection', async (_, length) => {
    const broker = await brokerThat(({ correlationId }, socket) => {
      const bytes = answerOf(correlationId, 'x')
      bytes.writeInt32BE(length, 0)
      socket.write(bytes)
    })
    const connection = await connect(broker)
    await expect(ask(connection, plain('x'))).rejects.toThrow(OutOfStep)
    expect(connection.usable).toBe(false)
  })

  test('an answer said to be larger than any is refused before the memory is taken', async () => {
    const broker = await brokerThat(({ correlationId }, socket) => {
      const bytes = answerOf(correlationId, 'x')
      bytes.writeInt32BE(2 ** 31 - 1, 0)
      socket.write(bytes)
    })
    const connection = await connect(broker)
    const before = process.memoryUsage().arrayBuffers
    await expect(ask(connection, plain('x'))).rejects.toThrow(OutOfStep)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 28)
  })

  test('what is not the protocol of Kafka ends the connection', async () => {
    const broker = await brokerThat((_, socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'))
    const connection = await connect(broker)
    await expect(ask(connection, plain('x'))).rejects.toThrow("not Kafka's protocol")
    expect(connection.usable).toBe(false)
  })

  test('a connection that ends in the middle of an answer fails all that wait, and what is asked later', async () => {
    const broker = await brokerThat(({ correlationId, body }, socket) => {
      if (body === 'last') socket.end(answerOf(correlationId, 'cut off').subarray(0, 12))
    })
    const connection = await connect(broker)
    const waiting = ['first', 'last'].map((text) => ask(connection, plain(text)))
    for (const { status, ...rest } of await Promise.allSettled(waiting)) {
      expect([status, String((rest as { reason: unknown }).reason)]).toEqual(['rejected', 'Error: Connection closed'])
    }
    await expect(ask(connection, plain('later'))).rejects.toThrow('Connection closed')
    expect(connection.usable).toBe(false)
  })

  test('a request without an answer times out, and the late answer reaches nobody', async () => {
    let late: () => void = () => {}
    const broker = await brokerThat(({ correlationId, body }, socket) => {
      late = () => socket.write(answerOf(correlationId, body))
    })
    const connection = await connect(broker, { requestTimeoutMs: 50 })
    let answers = 0
    const answered = new Promise<Error | null>((resolve) => {
      connection.request(plain('x'), (error) => {
        answers += 1
        resolve(error)
      })
    })
    await broker.until(1)
    expect(String(await answered)).toContain('timed out')
    late()
    await expect(ask(connection, plain('y'))).rejects.toThrow('timed out')
    expect([answers, connection.usable, broker.asked.length]).toEqual([1, false, 1])
  })

  test('closing fails what waits, once', async () => {
    const broker = await brokerThat(() => {})
    const connection = await connect(broker)
    const waiting = ask(connection, plain('x'))
    connection.close()
    connection.close()
    await expect(waiting).rejects.toThrow('Connection closed')
  })

  test('a request that cannot be written fails alone', async () => {
    const broker = await brokerThat(({ correlationId, body }, socket) => socket.write(answerOf(correlationId, body)))
    const connection = await connect(broker)
    const createPayload = (): never => {
      throw new RangeError('no such number')
    }
    await expect(ask(connection, { ...plain('x'), createPayload })).rejects.toThrow('no such number')
    expect(await ask(connection, plain('y'))).toBe('y')
  })

  test('nobody at the other end, or nobody in time', async () => {
    const broker = await Broker.start(() => {})
    const { port } = broker
    await broker.stop()
    await expect(connect({ port } as Broker)).rejects.toThrow('ECONNREFUSED')
    const silent = await brokerThat(() => {})
    const authenticate = (channel: Channel): Promise<number> => ask(channel, plain('who')).then(() => 0)
    await expect(connect(silent, { connectTimeoutMs: 50, authenticate })).rejects.toThrow('timed out')
  })
})

describe('authentication', () => {
  test('comes before everything else, and again before the broker stops believing it', async () => {
    const broker = await brokerThat(({ correlationId, body }, socket) => socket.write(answerOf(correlationId, body)))
    let shown = 0
    let again: () => void = () => {}
    const renewed = new Promise<void>((resolve) => {
      again = resolve
    })
    const authenticate = async (channel: Channel): Promise<number> => {
      shown += 1
      await ask(channel, plain(`hello ${shown}`))
      await ask(channel, plain(`proof ${shown}`))
      if (shown === 2) again()
      return shown === 1 ? 100 : 0
    }
    const connection = await connect(broker, { authenticate })
    await renewed
    expect(await ask(connection, plain('another'))).toBe('another')
    expect(broker.asked.map(({ body }) => body)).toEqual(
      ['hello 1', 'proof 1', 'hello 2', 'proof 2', 'another'],
    ) // biome-ignore format: one line
  })

  test('holds back what is asked meanwhile', async () => {
    const held: (() => void)[] = []
    const broker = await brokerThat(({ correlationId, body }, socket) => {
      const answer = (): void => void socket.write(answerOf(correlationId, body))
      if (body === 'hello 2') held.push(answer)
      else answer()
    })
    let shown = 0
    const authenticate = async (channel: Channel): Promise<number> => {
      shown += 1
      await ask(channel, plain(`hello ${shown}`))
      await ask(channel, plain(`proof ${shown}`))
      return shown === 1 ? 10 : 0
    }
    const connection = await connect(broker, { authenticate })
    await broker.until(3)
    const question = ask(connection, plain('question'))
    for (const answer of held) answer()
    expect(await question).toBe('question')
    expect(broker.asked.map(({ body }) => body)).toEqual(['hello 1', 'proof 1', 'hello 2', 'proof 2', 'question'])
  })

  test('a refusal is the reason why there is no connection', async () => {
    const broker = await brokerThat(() => {})
    const authenticate = (): Promise<number> => Promise.reject(new Error('nobody knows you'))
    await expect(connect(broker, { authenticate })).rejects.toThrow('nobody knows you')
  })
})
