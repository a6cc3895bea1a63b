/** Runs every example against an API of its own and prints what came of it: `npx tsx examples/limit/main.ts`. */
import { startApi } from './api.ts'
import { aroundFetch } from './around-fetch.ts'
import { aroundAnotherClient } from './other-client.ts'
import { perTenant } from './tenants.ts'
import { withUndici } from './with-undici.ts'

const show = (title: string, came: unknown, answers: unknown): void => console.log(title, came, 'answers:', answers)

const plain = await startApi()
show('around fetch', await aroundFetch(plain.origin), plain.answers)
await plain.close()

const other = await startApi()
show('around another client', (await aroundAnotherClient(other.origin)).found, other.answers)
await other.close()

const counted = await startApi({ perSecond: 50 })
show('per tenant', (await perTenant(counted.origin, ['ann', 'bob', 'cleo'])).limits, counted.answers)
await counted.close()

const pooled = await startApi()
show('with undici', await withUndici(pooled.origin), pooled.answers)
await pooled.close()
