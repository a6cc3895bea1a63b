/** Draws service times from the distributions of `scenario.ts`, all with the mean that they name. */
import type { SeededRandom } from '../control/random.ts'
import type { ServiceTime } from './scenario.ts'

export type Sampler = () => number

/** A standard normal by Box and Muller (1958); the second of each pair is kept for the next call. */
export function normalSampler(random: SeededRandom): Sampler {
  let spare = Number.NaN
  return () => {
    if (!Number.isNaN(spare)) {
      const value = spare
      spare = Number.NaN
      return value
    }
    const radius = Math.sqrt(-2 * Math.log(1 - random.next()))
    const angle = 2 * Math.PI * random.next()
    spare = radius * Math.sin(angle)
    return radius * Math.cos(angle)
  }
}

/** An exponential time with mean 1. */
export function unitExponential(random: SeededRandom): number {
  return -Math.log(1 - random.next())
}

export function serviceTimeSampler(spec: ServiceTime, random: SeededRandom): Sampler {
  const { meanMs } = spec
  switch (spec.kind) {
    case 'constant':
      return () => meanMs
    case 'exponential':
      return () => meanMs * unitExponential(random)
    case 'lognormal': {
      const variance = Math.log(1 + spec.cv ** 2)
      const mu = Math.log(meanMs) - variance / 2
      const sigma = Math.sqrt(variance)
      const normal = normalSampler(random)
      return () => Math.exp(mu + sigma * normal())
    }
    case 'bimodal': {
      const fastMs = meanMs / (1 + spec.slowShare * (spec.slowFactor - 1))
      const slowMs = fastMs * spec.slowFactor
      return () => (random.next() < spec.slowShare ? slowMs : fastMs)
    }
    case 'pareto': {
      // Cut off at cap × mean the distribution has the mean scale × (α − (scale ÷ cut)^(α − 1)) ÷ (α − 1).
      const { alpha } = spec
      const cutMs = meanMs * spec.cap
      let scale = (meanMs * (alpha - 1)) / alpha
      for (let turn = 0; turn < 50; turn += 1) scale = (meanMs * (alpha - 1)) / (alpha - (scale / cutMs) ** (alpha - 1))
      return () => Math.min(cutMs, scale * (1 - random.next()) ** (-1 / alpha))
    }
  }
}
