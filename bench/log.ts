/**
 * What the embedded log costs over the storage it is built on, and how it stands beside a log that one would have to
 * run: durable appends in batches of a thousand, and reads of the same. Every side has the same number of batches in
 * flight and acknowledges nothing before it is on disk. The sides are in `log/`.
 */
import type { Bench, Row } from './harness.ts'

const SIZES = { '100 B': 100, '1 KB': 1000 } as const

function row(operation: 'append' | 'read', size: keyof typeof SIZES): Row {
  return {
    name: `${operation} ${size}`,
    unit: 'records/s',
    headgate: `headgate ${operation} ${SIZES[size]}`,
    peers: {
      'raw LMDB': `lmdb ${operation} ${SIZES[size]}`,
      'Redis Streams': `redis ${operation} ${SIZES[size]}`,
    },
    goals: { 'raw LMDB': 1 / 1.3, 'Redis Streams': 1 },
    // The pace of a disk drifts from one process to the next, and so does that of memory.
    inTurns: 'raw LMDB',
  }
}

export const bench: Bench = {
  name: 'log',
  rows: [row('append', '100 B'), row('append', '1 KB'), row('read', '100 B'), row('read', '1 KB')],
  async contender(key) {
    const [side, operation, bytes] = key.split(' ') as [string, 'append' | 'read', string]
    const { storeSide } = await import('./log/workload.ts')
    if (side === 'headgate') {
      return storeSide((await import('./log/headgate-store.ts')).openStore, operation, Number(bytes))
    }
    if (side === 'lmdb') return storeSide((await import('./log/lmdb-store.ts')).openStore, operation, Number(bytes))
    if (side === 'redis') return storeSide((await import('./log/redis-store.ts')).openStore, operation, Number(bytes))
    throw new Error(`no side named '${key}'`)
  },
}
