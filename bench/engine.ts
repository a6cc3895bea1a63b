/**
 * What the engine costs a record, next to libraries that do the same step without a gate, a ledger or a commit. The
 * rows and their goals stand here; the sides are in `engine/headgate-sides.ts` and `engine/peer-sides.ts`, all over
 * the same prepared array of numbers and all counting what comes out.
 */
import type { Bench } from './harness.ts'

const AHEAD = 1

export const bench: Bench = {
  name: 'engine',
  rows: [
    {
      name: 'map → filter → map, memory to memory',
      unit: 'records/s',
      headgate: 'sync',
      peers: {
        'Effect Stream': 'effect-sync',
        RxJS: 'rxjs-sync',
        'Node streams': 'node-streams-sync',
        'async generators': 'generators-sync',
        'web streams': 'web-streams-sync',
      },
      goals: {
        'Effect Stream': AHEAD,
        RxJS: AHEAD,
        'Node streams': AHEAD,
        'async generators': AHEAD,
        'web streams': AHEAD,
      },
    },
    {
      name: 'call, 64 at once, no order',
      unit: 'records/s',
      headgate: 'call-none',
      peers: {
        'p-limit': 'p-limit-call',
        'RxJS mergeMap': 'rxjs-call',
        'RxJS mergeMap, fed 10,000 at a time': 'rxjs-call-portions',
      },
      goals: { 'p-limit': 5, 'RxJS mergeMap': 10 },
    },
    {
      name: 'call, 64 at once, in order of 10,000 keys',
      unit: 'records/s',
      headgate: 'call-key-10k',
      peers: { 'p-limit (no order)': 'p-limit-call' },
      goals: { 'p-limit (no order)': 3 },
    },
    {
      name: 'a million distinct keys',
      unit: 'records/s',
      headgate: 'keys-1m',
      peers: { 'ten thousand keys': 'keys-10k' },
      goals: { 'ten thousand keys': 1 / 2 },
    },
    {
      name: '100,000 completed ahead of a stuck record',
      unit: 'records/s',
      headgate: 'one-stuck',
      peers: { 'none stuck': 'none-stuck' },
      goals: { 'none stuck': 1 / 1.2 },
    },
    {
      name: 'call, with accounting and a reader of the status',
      unit: 'records/s',
      headgate: 'accounting-on',
      peers: { 'without either': 'accounting-off' },
      goals: { 'without either': 1 / 1.03 },
      inTurns: 'without either',
    },
  ],
  async contender(key) {
    const { peerSide } = await import('./engine/peer-sides.ts')
    const { headgateSide } = await import('./engine/headgate-sides.ts')
    const side = peerSide(key) ?? (await headgateSide(key))
    if (!side) throw new Error(`no side named '${key}'`)
    return side
  },
}
