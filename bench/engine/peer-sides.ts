/**
 * The peers of the engine bench, each written the way its own documentation writes it. Libraries are loaded only by
 * the side that needs them, so that a child process holds one contender and nothing else.
 */
import { Readable, Transform, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { ReadableStream, TransformStream, WritableStream } from 'node:stream/web'
import { type Contender, Missing } from '../harness.ts'
import { add, all, CONCURRENCY, counting, double, keptOf, notThird, settle } from './workload.ts'

async function peer<T>(name: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load()
  } catch (error) {
    if ((error as { code?: string }).code !== 'ERR_MODULE_NOT_FOUND') throw error
    throw new Missing(`${name} is not installed; run npm ci --prefix bench`)
  }
}

const SIDES: Readonly<Record<string, () => Contender>> = {
  'effect-sync': () =>
    counting({ warm: 3_000_000 }, keptOf, async (values) => {
      const { Effect, Stream } = await peer('effect', () => import('effect'))
      const mapped = Stream.map(Stream.fromIterable(values), add)
      return Effect.runPromise(Stream.runCount(Stream.map(Stream.filter(mapped, notThird), double)))
    }),

  'rxjs-sync': () =>
    counting({ warm: 3_000_000 }, keptOf, async (values) => {
      const { filter, from, map } = await peer('rxjs', () => import('rxjs'))
      return new Promise<number>((resolve, reject) => {
        let count = 0
        from(values)
          .pipe(map(add), filter(notThird), map(double))
          .subscribe({ next: () => (count += 1), error: reject, complete: () => resolve(count) })
      })
    }),

  'node-streams-sync': () =>
    counting({ warm: 500_000 }, keptOf, async (values) => {
      let count = 0
      const mapping = (fn: (value: number) => number) =>
        new Transform({ objectMode: true, transform: (value: number, _encoding, done) => done(null, fn(value)) })
      const filtering = new Transform({
        objectMode: true,
        transform: (value: number, _encoding, done) => (notThird(value) ? done(null, value) : done()),
      })
      const sink = new Writable({
        objectMode: true,
        write(_value, _encoding, done) {
          count += 1
          done()
        },
      })
      await pipeline(Readable.from(values), mapping(add), filtering, mapping(double), sink)
      return count
    }),

  'generators-sync': () =>
    counting({ warm: 500_000 }, keptOf, async (values) => {
      async function* map(input: AsyncIterable<number> | Iterable<number>, fn: (value: number) => number) {
        for await (const value of input) yield fn(value)
      }
      async function* filter(input: AsyncIterable<number>, fn: (value: number) => boolean) {
        for await (const value of input) if (fn(value)) yield value
      }
      let count = 0
      for await (const _ of map(filter(map(values, add), notThird), double)) count += 1
      return count
    }),

  'web-streams-sync': () =>
    counting({ warm: 20_000 }, keptOf, async (values) => {
      let at = 0
      let count = 0
      const source = new ReadableStream<number>({
        pull(controller) {
          if (at < values.length) controller.enqueue(values[at++] as number)
          else controller.close()
        },
      })
      const mapping = (fn: (value: number) => number) =>
        new TransformStream<number, number>({ transform: (value, controller) => controller.enqueue(fn(value)) })
      const filtering = new TransformStream<number, number>({
        transform: (value, controller) => (notThird(value) ? controller.enqueue(value) : undefined),
      })
      await source
        .pipeThrough(mapping(add))
        .pipeThrough(filtering)
        .pipeThrough(mapping(double))
        .pipeTo(new WritableStream({ write: () => void (count += 1) }))
      return count
    }),

  'p-limit-call': () =>
    counting({ warm: 500_000, most: 1_000_000 }, all, async (values) => {
      const { default: pLimit } = await peer('p-limit', () => import('p-limit'))
      const limit = pLimit(CONCURRENCY)
      let count = 0
      // In portions of ten thousand: p-limit has no backpressure, and a million waiting promises would slow it down.
      for (let from = 0; from < values.length; from += 10_000) {
        const portion = values.slice(from, from + 10_000)
        count += (await Promise.all(portion.map((value) => limit(settle, value)))).length
      }
      return count
    }),

  // As its documentation writes it. mergeMap buffers what it cannot start and takes from that buffer in linear time:
  // the more it is given at once the slower it gets, so it is given less than the others.
  'rxjs-call': () => counting({ warm: 50_000, fixed: 100_000 }, all, (values) => mergeMapped(values)),

  'rxjs-call-portions': () =>
    counting({ warm: 500_000, most: 1_000_000 }, all, async (values) => {
      let count = 0
      for (let start = 0; start < values.length; start += 10_000) {
        count += await mergeMapped(values.slice(start, start + 10_000))
      }
      return count
    }),
}

async function mergeMapped(values: readonly number[]): Promise<number> {
  const { from, mergeMap } = await peer('rxjs', () => import('rxjs'))
  let count = 0
  await new Promise<void>((resolve, reject) => {
    from(values)
      .pipe(mergeMap(settle, CONCURRENCY))
      .subscribe({ next: () => (count += 1), error: reject, complete: resolve })
  })
  return count
}

/** The peer of this name, or undefined. */
export function peerSide(key: string): Contender | undefined {
  return SIDES[key]?.()
}
