import { beforeEach, describe, expect, it, vi } from 'vitest'
import { pipeline } from '../../src/builder/pipeline.ts'
import { start } from '../../src/runtime/start.ts'
import { sinkOf, sourceOf } from './doubles.ts'

vi.mock('../../src/runtime/start.ts', () => ({ start: vi.fn() }))

const whole = pipeline('p').from(sourceOf()).to(sinkOf())
const status = { state: 'stopped', error: null }
const running = { status: () => status, done: Promise.resolve(status) }

describe('a pipeline', () => {
  beforeEach(() => {
    vi.mocked(start)
      .mockReset()
      .mockResolvedValue(running as never)
  })

  it('is started with its plan and the options', async () => {
    const { signal } = new AbortController()
    expect(await whole.start({ signal })).toBe(running)
    expect(start).toHaveBeenCalledExactlyOnceWith(whole.plan, { signal })
  })

  it('is run until it is finished', async () => {
    expect(await whole.run()).toBe(status)
  })

  it('throws the error that made it fail', async () => {
    const failed = { state: 'failed', error: { code: 'HG_TIMEOUT', message: 'no result' } }
    vi.mocked(start).mockResolvedValue({ done: Promise.resolve(failed) } as never)
    await expect(whole.run()).rejects.toMatchObject({ code: 'HG_TIMEOUT', message: 'no result' })
  })

  it('says so when it cannot be started', async () => {
    vi.mocked(start).mockRejectedValue(new Error('no broker'))
    await expect(whole.run()).rejects.toThrow('no broker')
  })

  it('is recognized by a symbol that all copies of the package share', () => {
    expect(Symbol.for('headgate.pipeline') in whole).toBe(true)
    expect(whole.name).toBe('p')
  })
})
