/** The examples of `headgate/limit`, each against a server of its own: everything is answered, and little is refused. */
import { afterEach, describe, expect, it } from 'vitest'
import { type Api, startApi } from '../../examples/limit/api.ts'
import { aroundFetch } from '../../examples/limit/around-fetch.ts'
import { aroundAnotherClient } from '../../examples/limit/other-client.ts'
import { perTenant } from '../../examples/limit/tenants.ts'
import { withUndici } from '../../examples/limit/with-undici.ts'
import type { LimitLearned } from '../../src/limit/index.ts'

let api: Api
afterEach(() => api.close())

const refused = (): number => (api.answers[503] ?? 0) + (api.answers[429] ?? 0)

describe('the examples of headgate/limit', () => {
  it('around fetch', async () => {
    api = await startApi()
    expect(await aroundFetch(api.origin)).toBe(400)
    // All at once, 376 of 400 would be refused.
    expect(refused()).toBeLessThan(200)
  })

  it('around another client', async () => {
    api = await startApi()
    const { found, snapshot } = await aroundAnotherClient(api.origin)
    expect(found + refused()).toBe(300)
    expect(found).toBeGreaterThan(150)
    expect(snapshot).toMatchObject({ waiting: 0, inFlight: 0, keys: [{ key: null }] })
  })

  it('per tenant, saved for the next start', async () => {
    api = await startApi({ perSecond: 50 })
    const { answered, limits, saved } = await perTenant(api.origin, ['ann', 'bob'])
    expect(answered + refused()).toBe(120)
    expect(answered).toBeGreaterThan(100)
    expect(limits.map(({ key }) => key)).toEqual(['ann', 'bob'])
    const { keys } = JSON.parse(saved) as LimitLearned
    expect(keys.map(({ key }) => key)).toEqual(['ann', 'bob'])
    expect((await perTenant(api.origin, ['ann'], saved)).limits.map(({ key }) => key)).toEqual(['ann'])
  })

  it('with undici', async () => {
    api = await startApi()
    expect(await withUndici(api.origin)).toEqual({ answered: 200, keys: [api.origin] })
    expect(refused()).toBeLessThan(100)
  })
})
