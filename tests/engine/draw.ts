/**
 * Draws for the simulated world: a seeded stream with the distributions that the world needs, and `chanceOf`, a draw
 * that depends on nothing but its arguments, so that a record always takes the same way through a topology.
 */
import { SeededRandom } from '../../src/control/random.ts'

export class Draw {
  readonly #random: SeededRandom

  constructor(seed: number, stream: string) {
    this.#random = new SeededRandom(hash(`${seed}/${stream}`))
    this.#random.next()
  }

  unit(): number {
    return this.#random.next()
  }

  chance(probability: number): boolean {
    return probability > 0 && this.#random.next() < probability
  }

  /** An integer from `low` to `high`, both included. */
  int(low: number, high: number): number {
    return low + Math.floor(this.#random.next() * (high - low + 1))
  }

  logUniform(low: number, high: number): number {
    return low * (high / low) ** this.#random.next()
  }

  exponential(mean: number): number {
    return -mean * Math.log(1 - this.#random.next())
  }

  pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.#random.next() * from.length)] as T
  }
}

/** Uniform in [0, 1), always the same for the same parts. */
export function chanceOf(...parts: readonly (string | number)[]): number {
  return hash(parts.join('|')) / 2 ** 32
}

/** FNV-1a with a final mix, 32 bits. */
export function hash(text: string, start = 0x811c9dc5): number {
  let h = start
  for (let index = 0; index < text.length; index += 1) h = Math.imul(h ^ text.charCodeAt(index), 0x01000193)
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}
