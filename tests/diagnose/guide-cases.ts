/**
 * Causes that the simulated pipeline of `npm run bench -- doctor` cannot plant, each as a real pipeline that has exactly
 * this fault. `guide-cases.integration.test.ts` runs them until the doctor says so; `docs/tuning.md` names them.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { deadLetter, type Pipeline, pipeline } from 'headgate'
import { memory } from 'headgate/memory'
import type { CauseKind, Diagnosis } from '../../src/model/diagnosis.ts'

type Topic = ReturnType<typeof memory.topic<number>>

export interface GuideCase {
  /** The paragraph that it checks. */
  readonly kind: CauseKind
  /** Reads what `arrivals` appends. */
  make(topic: Topic): Pipeline
  /** What the paragraph promises to whoever looks. */
  isSaid(diagnosis: Diagnosis): boolean
}

/** Appends so many records a second until the function that it returns is called, whatever becomes of them. */
export function arrivals(topic: Topic, perSecond: number): () => void {
  let count = 0
  const timer = setInterval(() => {
    topic.append(Array.from({ length: perSecond / 20 }, () => ({ value: count++ })))
  }, 50)
  return () => clearInterval(timer)
}

/** So many calls are answered before the downstream goes away. */
const ANSWERED = 200

export const GUIDE_CASES: Readonly<Record<string, GuideCase>> = {
  'budget below the slots': {
    kind: 'admission',
    make: (topic) =>
      pipeline('small-budget', { admission: { records: 4 } })
        .from(topic.source({ group: 'g' }))
        .call('score', (order) => sleep(40, order), { concurrency: 16, order: 'none' })
        .to(memory.sink()),
    isSaid: ({ verdict }) => verdict.kind === 'admission' && verdict.bottleneck === 'orders',
  },
  'downstream gone': {
    kind: 'downstream-down',
    make: (topic) => {
      let calls = 0
      const score = async (order: number): Promise<number> => {
        await sleep(10)
        calls += 1
        if (calls <= ANSWERED) return order
        throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
      }
      return pipeline('gone')
        .from(topic.source({ group: 'g' }))
        .call('score', score, { order: 'none' })
        .to(memory.sink())
    },
    isSaid: ({ verdict }) =>
      verdict.kind === 'downstream-down' &&
      verdict.bottleneck === 'score' &&
      /cannot be reached.*one call at a time/.test(verdict.sentence),
  },
  'dead-letter sink too slow': {
    kind: 'dead-letter-full',
    make: (topic) => {
      const dead = memory.sink({ name: 'dead', latencyMs: 500, maxBatchRecords: 4 })
      const score = async (order: number): Promise<number> => {
        await sleep(5)
        if (order % 2 === 0) throw new Error('no such account')
        return order
      }
      return pipeline('many-failures')
        .from(topic.source({ group: 'g' }))
        .call('score', score, {
          concurrency: 16,
          order: 'none',
          retry: { attempts: 1 },
          onFailure: deadLetter(dead),
        })
        .to(memory.sink())
    },
    isSaid: ({ verdict }) => verdict.kind === 'dead-letter-full' && verdict.bottleneck === 'dead-letter:dead',
  },
}
