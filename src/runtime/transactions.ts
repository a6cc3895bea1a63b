/**
 * Makes the transactions of an exactly-once run and has all of its sinks take part in them. `start.ts` opens them
 * between the sinks and the sources: an earlier instance is fenced before its progress is read.
 */
import type { Sink, Transactions } from '../model/connector.ts'
import { HeadgateError } from '../model/errors.ts'
import type { Plan } from '../model/plan.ts'
import type { World } from './world.ts'

/** Null where records are delivered at least once. */
export function transactionsOf(plan: Plan, sinks: Iterable<Sink<never>>, world: World): Transactions | null {
  if (plan.transaction === undefined) return null
  const { id, timeoutMs } = plan.transaction
  let transactions: Transactions | null = null
  for (const { name, transactional } of sinks) {
    if (transactional === undefined) throw new HeadgateError('HG_INVARIANT', `sink '${name}' knows no transactions`)
    transactions ??= transactional.transactions({ id: id ?? ownId(plan.name, world), timeoutMs })
    transactional.join(transactions)
  }
  return transactions
}

/** Unlike that of any other instance, so that instances do not fence each other. */
function ownId(pipeline: string, world: World): string {
  return `${pipeline}-${Math.round(world.wallMs()).toString(36)}-${world.seed().toString(36)}`
}
