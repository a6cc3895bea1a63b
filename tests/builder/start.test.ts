import { describe, expect, it } from 'vitest'
import { pipeline } from '../../src/builder/pipeline.ts'
import { memory } from '../../src/connectors/memory/index.ts'
import { sinkOf, sourceOf } from './doubles.ts'

const whole = pipeline('p')
  .from(memory.source([1, 2, 3]))
  .to(memory.sink())

describe('a pipeline', () => {
  it('is started with its plan, and drained by the signal that it was given', async () => {
    const drain = new AbortController()
    // It is assigned no partition, so it waits for one.
    const waiting = pipeline('waiting').from(sourceOf()).to(sinkOf())
    const running = await waiting.start({ signal: drain.signal })
    expect(running.status()).toMatchObject({ pipeline: 'waiting', state: 'running' })
    drain.abort()
    expect(await running.done).toMatchObject({ pipeline: 'waiting', state: 'stopped', error: null })
  })

  it('is run until it is finished', async () => {
    expect(await whole.run()).toMatchObject({ state: 'stopped', error: null, records: { in: 3, out: 3 } })
  })

  it('throws the error that made it fail', async () => {
    const failing = pipeline('p')
      .from(memory.source([1]))
      .map('half', (): number => {
        throw new RangeError('too large')
      })
      .to(memory.sink())
    await expect(failing.run()).rejects.toMatchObject({
      code: 'HG_HANDLER_FAILED',
      message: expect.stringContaining('too large'),
    })
  })

  it('says so when it cannot be started', async () => {
    const open = async () => {
      throw new Error('no broker')
    }
    const closed = pipeline('p')
      .from({ ...sourceOf(), open })
      .to(sinkOf())
    await expect(closed.run()).rejects.toThrow('no broker')
  })

  it('is recognized by a symbol that all copies of the package share', () => {
    expect(Symbol.for('headgate.pipeline') in whole).toBe(true)
    expect(whole.name).toBe('p')
  })
})
