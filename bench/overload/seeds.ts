/** Every client of a run has a seed of its own, drawn from the run's. */
import type { MakeGate } from '../../src/sim/run.ts'
import type { Algorithm } from './algorithms/registry.ts'

export function gatesOf(algorithm: Algorithm, seed: number): MakeGate {
  return (client, nowMs) => algorithm.make((Math.imul(seed, 0x2c1b3c6d) ^ client) >>> 0, nowMs)
}
