/** The cases of the tuning guide that are real pipelines: the doctor says what the guide's paragraph promises. */
import { setTimeout as sleep } from 'node:timers/promises'
import { memory } from 'headgate/memory'
import { describe, expect, it } from 'vitest'
import { arrivals, GUIDE_CASES } from './guide-cases.ts'

const PER_SECOND = 1000
const LOOK_EVERY_MS = 250
const LOOKS = 400

describe('a case of the tuning guide', () => {
  it.concurrent.each(Object.entries(GUIDE_CASES))('is told as the guide says: %s', async (_, { make, isSaid }) => {
    const topic = memory.topic<number>('orders')
    const running = await make(topic).start()
    const stop = arrivals(topic, PER_SECOND)
    try {
      let said = ''
      for (let look = 0; look < LOOKS; look += 1) {
        await sleep(LOOK_EVERY_MS)
        const diagnosis = running.diagnose()
        if (isSaid(diagnosis)) return
        said = diagnosis.verdict.sentence
      }
      expect.fail(`the doctor did not see it: ${said}`)
    } finally {
      stop()
      await running.stop()
    }
  })
})
