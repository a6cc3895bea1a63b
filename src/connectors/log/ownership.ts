/**
 * Who consumes a group on a topic: one record { owner, pid, host, epoch, last heartbeat } in the log. `groups.ts`
 * checks commits against it, the source takes, keeps and releases it. Invariant: the epoch only rises, so whoever
 * holds an older one can be told apart for ever, even after its process was stopped for hours.
 */
import { hostname } from 'node:os'
import { HeadgateError } from '../../model/errors.ts'
import { formatDuration } from '../../model/units.ts'
import type { Store } from './store.ts'

export const HEARTBEAT_MS = 2_000
/** Without a heartbeat for so long, the owner counts as gone. */
export const LEASE_MS = 10_000

export interface Owner {
  /** Null when nobody owns the group; the epoch stays. */
  readonly ownerId: string | null
  readonly epoch: number
  readonly pid?: number
  readonly hostname?: string
  readonly heartbeatAtMs?: number
}

/** What a consumer holds while it owns a group. */
export interface Claim {
  readonly group: string
  readonly ownerId: string
  readonly epoch: number
}

let opened = 0
const STARTED = process.hrtime.bigint()

/** Unique among all processes that were ever alive on any host: a pid may come again, its start does not. */
export function newOwnerId(): string {
  opened += 1
  return `${hostname()}/${process.pid}/${Date.now()}/${STARTED}/${opened}`
}

export function ownerOf(store: Store, group: string, topic: string): Owner | null {
  const bytes = store.owners.get([group, topic])
  return bytes ? (JSON.parse(Buffer.from(bytes).toString()) as Owner) : null
}

/** Only inside a write step. */
export function setOwner(store: Store, group: string, topic: string, owner: Owner): void {
  store.owners.putSync([group, topic], Buffer.from(JSON.stringify(owner)))
}

/** Takes the group if it is free or its owner is gone, else throws `HG_FENCED`. Only inside a write step. */
export function take(store: Store, group: string, topic: string, ownerId: string): Claim {
  const owner = ownerOf(store, group, topic)
  if (owner?.ownerId && isAlive(owner)) {
    const where = owner.hostname === hostname() ? '' : ` on ${owner.hostname}`
    const ago = formatDuration(Math.max(0, Date.now() - (owner.heartbeatAtMs ?? 0)))
    throw new HeadgateError(
      'HG_FENCED',
      `group '${group}' on topic '${topic}' is being consumed by pid ${owner.pid}${where} (heartbeat ${ago} ago): stop it, or use another group`,
    )
  }
  const epoch = (owner?.epoch ?? 0) + 1
  setOwner(store, group, topic, { ownerId, epoch, ...self() })
  return { group, ownerId, epoch }
}

/** Renews the lease; false when the claim is no longer the present one. Only inside a write step. */
export function renew(store: Store, topic: string, claim: Claim): boolean {
  if (!holds(store, topic, claim)) return false
  setOwner(store, claim.group, topic, { ownerId: claim.ownerId, epoch: claim.epoch, ...self() })
  return true
}

/** Gives the group up, if it is still ours. Only inside a write step. */
export function giveUp(store: Store, topic: string, claim: Claim): void {
  if (holds(store, topic, claim)) setOwner(store, claim.group, topic, { ownerId: null, epoch: claim.epoch })
}

export function holds(store: Store, topic: string, claim: Claim): boolean {
  const owner = ownerOf(store, claim.group, topic)
  return owner?.ownerId === claim.ownerId && owner.epoch === claim.epoch
}

/** True unless the owner's process has ended (seen on the same host) or its lease has run out. */
export function isAlive(owner: Owner): boolean {
  if (Date.now() - (owner.heartbeatAtMs ?? 0) > LEASE_MS) return false
  return owner.hostname !== hostname() || owner.pid === undefined || isRunning(owner.pid)
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as { code?: unknown }).code === 'EPERM'
  }
}

function self(): { pid: number; hostname: string; heartbeatAtMs: number } {
  return { pid: process.pid, hostname: hostname(), heartbeatAtMs: Date.now() }
}
