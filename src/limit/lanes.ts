/**
 * One lane for each key, made when it is first needed. Invariant: at most `maxKeys` lanes; the one used longest ago goes
 * first, what it had learned is kept for its return (of as many keys again), and one that is in use never goes.
 */
import { Controller } from '../control/controller.ts'
import type { ControllerOptions } from '../control/controller-options.ts'
import type { Learned } from '../control/learned.ts'
import { Lane } from './lane.ts'
import type { CheckedLimiterOptions } from './options.ts'
import { tooManyKeys } from './refusal.ts'
import type { LimitWorld } from './world.ts'

/** null: the calls without a key. */
export type LaneKey = string | null

const MOST_SEEDS = 2 ** 32

export class Lanes {
  readonly #world: LimitWorld
  readonly #options: ControllerOptions
  readonly #maxKeys: number
  /** The one used longest ago comes first. */
  readonly #lanes = new Map<LaneKey, Lane>()
  /** Of keys that have no lane (yet, or any more). */
  readonly #learned: Map<LaneKey, Learned>
  #made = 0
  #latestKey: LaneKey = null

  constructor(options: CheckedLimiterOptions, world: LimitWorld) {
    this.#world = world
    this.#options = options.controller
    this.#maxKeys = options.maxKeys
    this.#learned = new Map(options.learned)
  }

  /** The lane of a key, which counts as used by this. Throws when it would need one too many. */
  use(key: LaneKey): Lane {
    const known = this.#lanes.get(key)
    if (known === undefined) return this.#add(key)
    if (key !== this.#latestKey) {
      this.#lanes.delete(key)
      this.#lanes.set(key, known)
      this.#latestKey = key
    }
    return known
  }

  entries(): IterableIterator<[LaneKey, Lane]> {
    return this.#lanes.entries()
  }

  /** What every key has learned, those without a lane first. */
  learned(): Map<LaneKey, Learned> {
    const all = new Map(this.#learned)
    for (const [key, lane] of this.#lanes) all.set(key, lane.controller.learned())
    return all
  }

  #add(key: LaneKey): Lane {
    // Before another key takes its place among those that are remembered.
    const learned = this.#learned.get(key)
    if (this.#lanes.size >= this.#maxKeys) this.#forgetOne()
    const seed = this.#options.seed === undefined ? this.#world.seed() : (this.#options.seed + this.#made) % MOST_SEEDS
    const lane = new Lane(new Controller({ ...this.#options, seed, learned }, this.#world.nowMs()), this.#world)
    this.#made += 1
    this.#learned.delete(key)
    this.#lanes.set(key, lane)
    this.#latestKey = key
    return lane
  }

  #forgetOne(): void {
    const nowMs = this.#world.nowMs()
    for (const [key, lane] of this.#lanes) {
      if (!lane.isIdle(nowMs)) continue
      this.#lanes.delete(key)
      this.#remember(key, lane.controller.learned())
      return
    }
    throw tooManyKeys(this.#maxKeys)
  }

  #remember(key: LaneKey, learned: Learned): void {
    if (this.#learned.size >= this.#maxKeys) {
      const [oldest] = this.#learned.keys()
      this.#learned.delete(oldest as LaneKey)
    }
    this.#learned.set(key, learned)
  }
}
