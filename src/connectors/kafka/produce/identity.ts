/**
 * Who a producer is to the brokers: an id and an epoch, which make retries harmless and fence whoever had them before.
 * Lanes ask for one each, transactions for the one of their name. Invariant: what it resolves with is fresh: no batch
 * was ever sent under it.
 */
import { type Cluster, TRANSACTION } from '../wire/cluster.ts'
import { brokerError, CONCURRENT_TRANSACTIONS, NONE, remedyOf } from '../wire/errors.ts'
import { backoffMs, sleep } from '../wire/wait.ts'

export interface ProducerIdentity {
  readonly id: bigint
  readonly epoch: number
}

/** Of a producer without idempotence. */
export const ANONYMOUS: ProducerIdentity = { id: -1n, epoch: -1 }

/** An identity of one's own. Rejects with `HG_CONNECTION_LOST`, or `HG_OPTION_INVALID` where the user may not have one. */
export async function newIdentity(cluster: Cluster): Promise<ProducerIdentity> {
  const connection = await cluster.any()
  const { errorCode, producerId, producerEpoch } = await connection.call('initProducerId', null, 60_000, -1n, -1)
  if (errorCode !== NONE) throw brokerError(errorCode, 'asking for a producer id')
  return { id: producerId, epoch: producerEpoch }
}

/**
 * The next identity of a transactional id: what was open under it is aborted, or its commit is completed, first. With
 * `present`, rejects with `HG_FENCED` when somebody else has taken over; without, takes over.
 */
export async function transactionalIdentity(
  cluster: Cluster,
  transactionalId: string,
  timeoutMs: number,
  present: ProducerIdentity | null,
  signal: AbortSignal,
): Promise<ProducerIdentity> {
  const { requestTimeoutMs } = cluster.options
  for (let attempt = 0; ; attempt += 1) {
    const { errorCode, producerId, producerEpoch } = await cluster.onCoordinator(
      TRANSACTION,
      transactionalId,
      (connection) =>
        connection.call('initProducerId', transactionalId, timeoutMs, present?.id ?? -1n, present?.epoch ?? -1),
      (answer) => answer.errorCode,
      requestTimeoutMs,
      { signal },
    )
    if (errorCode === NONE) return { id: producerId, epoch: producerEpoch }
    const error = brokerError(errorCode, `taking the transactional id '${transactionalId}'`)
    if ((errorCode !== CONCURRENT_TRANSACTIONS && remedyOf(errorCode) === 'none') || signal.aborted) throw error
    await sleep(Math.min(500, backoffMs(attempt)), signal)
    if (signal.aborted) throw error
  }
}
