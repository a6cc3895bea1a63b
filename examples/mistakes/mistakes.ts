/**
 * Three mistakes that nearly everybody makes once, each as a pipeline that makes it. `seen` runs one until the doctor
 * says so and returns its sentence. Used by `main.ts`, and by the test of `docs/tuning.md`.
 */
import { type Mistake, type Pipeline, pipeline, type Running } from 'headgate'
import { memory } from 'headgate/memory'
import { slowService } from './slow-service.ts'

interface Made {
  readonly pipeline: Pipeline
  /** Stops the arrivals. */
  stop(): void
}

/** Records that arrive at a steady rate, whatever becomes of them. */
function arrivals(perSecond: number): { topic: ReturnType<typeof memory.topic<number>>; stop(): void } {
  const topic = memory.topic<number>('orders')
  let count = 0
  const timer = setInterval(() => {
    topic.append(Array.from({ length: perSecond / 20 }, () => ({ value: count++ })))
  }, 50)
  return { topic, stop: () => clearInterval(timer) }
}

/** 64 calls at once to a service that does four: each takes sixteen times as long, and no more get done. */
function tooManyCalls(): Made {
  const { topic, stop } = arrivals(400)
  const call = slowService(20)
  return {
    stop,
    pipeline: pipeline('too-many-calls')
      .from(topic.source({ group: 'g' }))
      .call('score', call, { concurrency: 64, order: 'none' })
      .to(memory.sink()),
  }
}

/** Everything is pulled at once: the broker shows no lag, and the queue grows in memory. */
function queueInMemory(): Made {
  const { topic, stop } = arrivals(400)
  return {
    stop,
    pipeline: pipeline('queue-in-memory', { admission: { records: 1_000_000, residenceMs: 600_000 } })
      .from(topic.source({ group: 'g' }))
      .call('score', slowService(40), { concurrency: 4, order: 'none' })
      .to(memory.sink()),
  }
}

/** The rate looks well and stays well, while what is completed gets older and older. */
function olderAndOlder(): Made {
  const { topic, stop } = arrivals(2000)
  return {
    stop,
    pipeline: pipeline('older-and-older')
      .from(topic.source({ group: 'g' }))
      .call('score', slowService(20, 8), { concurrency: 8, order: 'none' })
      .to(memory.sink()),
  }
}

export const MISTAKES: Readonly<Record<Mistake['mistake'], () => Made>> = {
  'concurrency-past-the-knee': tooManyCalls,
  'queue-in-memory': queueInMemory,
  'throughput-over-latency': olderAndOlder,
}

const LOOK_EVERY_MS = 500

/** Makes the mistake until the doctor names it; throws after `withinMs`. */
export async function seen(mistake: Mistake['mistake'], withinMs: number): Promise<Mistake> {
  const made = MISTAKES[mistake]()
  const running: Running = await made.pipeline.start()
  try {
    for (let leftMs = withinMs; leftMs > 0; leftMs -= LOOK_EVERY_MS) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS))
      const found = running.diagnose().mistakes.find((named) => named.mistake === mistake)
      if (found !== undefined) return found
    }
    throw new Error(`the doctor did not see it: ${running.diagnose().verdict.sentence}`)
  } finally {
    made.stop()
    await running.stop()
  }
}
