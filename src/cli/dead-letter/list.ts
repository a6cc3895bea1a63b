/**
 * `headgate dead-letter list`: prints the letters that the filter lets through, the oldest first, as they are read, so
 * that a large topic needs no more memory than a small one; then, on standard error, how many there are of each kind.
 */
import { count } from '../../console/terminal/figures.ts'
import { formatCount } from '../../model/units.ts'
import { OUTPUT } from '../output.ts'
import type { FilterOptions } from './filter.ts'
import { letterJson, letterLine } from './letter-text.ts'
import { type StoreOptions, withStore } from './open-store.ts'
import { letters } from './store.ts'

export interface ListOptions extends StoreOptions, FilterOptions {
  readonly json?: boolean
}

export function list(options: ListOptions): Promise<void> {
  return withStore(options, async (store) => {
    const kinds = new Map<string, number>()
    let total = 0
    for await (const letter of letters(store, options)) {
      OUTPUT.data(options.json ? letterJson(letter) : letterLine(letter))
      const kind = `${letter.stage || 'no stage'} ${letter.reason.code}`
      kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
      total += 1
      if (process.stdout.writableNeedDrain) await drained()
      if (process.stdout.destroyed) return
    }
    OUTPUT.say(summary(store.topic, total, kinds))
  })
}

function summary(topic: string, total: number, kinds: ReadonlyMap<string, number>): string {
  if (total === 0) return `${topic} has no such dead letter.`
  const sorted = [...kinds].sort(([, a], [, b]) => b - a).map(([kind, letters]) => `${count(letters)} ${kind}`)
  return `${formatCount(total, 'dead letter')} in ${topic}: ${sorted.join(', ')}.`
}

function drained(): Promise<void> {
  return new Promise((resolve) => {
    process.stdout.once('drain', resolve).once('close', resolve)
  })
}
