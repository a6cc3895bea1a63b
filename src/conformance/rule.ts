/**
 * What a rule for sources is made of, and what it is given to work with. The `source-*.ts` files hold the rules,
 * `source.ts` plays them.
 */
import type { SourceCapabilities } from '../model/connector.ts'
import type { SourceWorld } from './harness.ts'
import type { Reader } from './reader.ts'

export type Ability = 'handedOut' | 'revoke' | 'lose' | 'assign' | 'disconnect' | 'reconnect'

/** What may skip a rule. */
export interface Traits {
  readonly capabilities: SourceCapabilities
  readonly maxPartitions: number
  readonly sessionMs: number | null
  /** Null when the harness has all of these, else a sentence about the ones it has not. */
  readonly lacks: (...abilities: Ability[]) => string | null
}

/** What a rule works with: a world, and the harness's abilities in it. */
export interface Scene {
  readonly traits: Traits
  readonly world: SourceWorld
  readonly patienceMs: number
  /** Opens a source and waits for all partitions; a second call stands for the restarted process. */
  readonly open: () => Promise<Reader>
  readonly handedOut: () => Promise<number>
  readonly revoke: (partitions: readonly string[]) => Promise<void>
  readonly lose: (partitions: readonly string[]) => Promise<void>
  readonly assign: (partitions: readonly string[]) => Promise<void>
  readonly disconnect: () => Promise<void>
  readonly reconnect: () => Promise<void>
}

export interface SourceRule {
  readonly rule: string
  readonly title: string
  /** Partitions the world should have, if the harness can. */
  readonly partitions: number
  /** Records appended to each partition. */
  readonly records: number
  /** Payload bytes of each; default 10. */
  readonly bytes?: number
  skip(traits: Traits): string | null
  run(scene: Scene): Promise<void>
}
