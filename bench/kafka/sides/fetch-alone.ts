/**
 * The least that any consumer on this runtime does for these records: Fetch requests written by hand, answers read
 * into the same memory each time, records walked, the work done. No group, no commits, no checksums, no versions, no
 * order of work and nothing that could go wrong. What it reaches is the bound for a consumer.
 */
import { connect, type Socket } from 'node:net'
import { Meter } from './meter.ts'
import { kept, type Payment, type SideReport, type SideSpec, touch } from './spec.ts'

const PARTITIONS = 8
/** While one is answered, what the other has sent is worked off. */
const CONNECTIONS = 2
const PARTITION_BYTES = 256 * 1024
const ANSWER_BYTES = 2 * 1024 * 1024
const MOST_WAIT_MS = 500
const FETCH = 1
const FETCH_VERSION = 4
const LENGTH_BYTES = 4
/** Of an answer: after its length, its number, the throttle time and the count of topics. */
const TOPIC_AT = 16
/** Of a batch: what is before its length and the length itself, the place of its last offset, and of its records. */
const BATCH_HEAD_BYTES = 12
const LAST_OFFSET_AT = 23
const RECORDS_AT = 61

type Work = (memory: Buffer, start: number, end: number) => void

export async function fetchAlone(spec: SideSpec): Promise<SideReport> {
  const meter = new Meter(spec.records)
  const work = spec.work === 'json' ? parsing(meter) : touching(meter)
  const fetchers = Array.from({ length: CONNECTIONS }, (_, index) => new Fetcher(spec, index, meter, work))
  await meter.finished
  const report = meter.report()
  for (const fetcher of fetchers) fetcher.close()
  return report
}

function touching(meter: Meter): Work {
  return (memory, start, end) => {
    meter.sum += touch(memory.subarray(start, end))
  }
}

function parsing(meter: Meter): Work {
  return (memory, start, end) => {
    if (kept(JSON.parse(memory.toString('utf8', start, end)) as Payment)) meter.sum += 1
  }
}

class Fetcher {
  readonly #spec: SideSpec
  readonly #meter: Meter
  readonly #work: Work
  readonly #offsets = new Map<number, number>()
  readonly #memory = Buffer.allocUnsafeSlow(ANSWER_BYTES)
  readonly #socket: Socket
  #filled = 0
  /** Where the walk is. */
  #at = 0

  /** Takes every other partition, from the one of number `first`. */
  constructor(spec: SideSpec, first: number, meter: Meter, work: Work) {
    this.#spec = spec
    this.#meter = meter
    this.#work = work
    for (let partition = first; partition < PARTITIONS; partition += CONNECTIONS) this.#offsets.set(partition, 0)
    const [host = '', port = ''] = spec.broker.split(':')
    const onread = {
      buffer: () => this.#memory.subarray(this.#filled),
      callback: (bytes: number) => this.#read(bytes),
    }
    this.#socket = connect({ host, port: Number(port), noDelay: true, onread }, () => this.#ask())
  }

  close(): void {
    this.#socket.destroy()
  }

  #read(bytes: number): boolean {
    this.#meter.start()
    this.#filled += bytes
    if (this.#filled < LENGTH_BYTES) return true
    const length = this.#memory.readInt32BE(0)
    if (LENGTH_BYTES + length > ANSWER_BYTES) throw new Error(`an answer of ${length} bytes: the batches are too large`)
    if (this.#filled < LENGTH_BYTES + length) return true
    this.#answered()
    this.#filled = 0
    this.#ask()
    return true
  }

  /**
   * After length, key, version, number and no client id: replica i32, longest wait i32, least bytes i32, most bytes i32,
   * isolation i8, one topic, and of each partition index i32, offset i64, most bytes i32.
   */
  #ask(): void {
    const topic = Buffer.from(this.#spec.topic)
    const request = Buffer.alloc(64 + topic.length + this.#offsets.size * 16)
    let at = LENGTH_BYTES
    at = request.writeInt16BE(FETCH, at)
    at = request.writeInt16BE(FETCH_VERSION, at)
    at = request.writeInt32BE(0, at)
    at = request.writeInt16BE(-1, at)
    at = request.writeInt32BE(-1, at)
    at = request.writeInt32BE(MOST_WAIT_MS, at)
    at = request.writeInt32BE(1, at)
    at = request.writeInt32BE(this.#offsets.size * PARTITION_BYTES, at)
    at = request.writeInt8(0, at)
    at = request.writeInt32BE(1, at)
    at = request.writeInt16BE(topic.length, at)
    at += topic.copy(request, at)
    at = request.writeInt32BE(this.#offsets.size, at)
    for (const [partition, offset] of this.#offsets) {
      at = request.writeInt32BE(partition, at)
      at = request.writeBigInt64BE(BigInt(offset), at)
      at = request.writeInt32BE(PARTITION_BYTES, at)
    }
    request.writeInt32BE(at - LENGTH_BYTES, 0)
    this.#socket.write(request.subarray(0, at))
  }

  /**
   * Of each partition: index i32, error i16, high watermark i64, last stable offset i64, how many transactions were aborted
   * i32, two i64 of each, bytes of its batches i32, and these.
   */
  #answered(): void {
    const memory = this.#memory
    const nameBytes = memory.readInt16BE(TOPIC_AT)
    let at = TOPIC_AT + 2 + nameBytes
    const partitions = memory.readInt32BE(at)
    at += 4
    for (let index = 0; index < partitions; index += 1) {
      const partition = memory.readInt32BE(at)
      const error = memory.readInt16BE(at + 4)
      if (error !== 0) throw new Error(`partition ${partition}: the broker answered with error ${error}`)
      const aborted = Math.max(0, memory.readInt32BE(at + 22))
      at += 26 + aborted * 16
      const bytes = memory.readInt32BE(at)
      at += 4
      this.#batches(partition, at, at + bytes)
      at += bytes
    }
  }

  #batches(partition: number, start: number, end: number): void {
    const memory = this.#memory
    for (let at = start; at + BATCH_HEAD_BYTES <= end; ) {
      const after = at + BATCH_HEAD_BYTES + memory.readInt32BE(at + 8)
      // The last batch of a partition may be cut short.
      if (after > end) return
      const base = Number(memory.readBigInt64BE(at))
      this.#records(at + RECORDS_AT, memory.readInt32BE(at + RECORDS_AT - 4))
      this.#offsets.set(partition, base + memory.readInt32BE(at + LAST_OFFSET_AT) + 1)
      at = after
    }
  }

  #records(start: number, count: number): void {
    this.#at = start
    for (let index = 0; index < count; index += 1) {
      const length = this.#varint()
      const after = this.#at + length
      this.#at += 1
      this.#varint()
      this.#varint()
      const keyBytes = this.#varint()
      if (keyBytes > 0) this.#at += keyBytes
      const valueBytes = this.#varint()
      this.#work(this.#memory, this.#at, this.#at + valueBytes)
      this.#at = after
    }
    this.#meter.done(count)
  }

  #varint(): number {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = this.#memory[this.#at] as number
      this.#at += 1
      value |= (byte & 127) << shift
      if (byte < 128) return (value >>> 1) ^ -(value & 1)
    }
  }
}
