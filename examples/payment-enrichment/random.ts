/**
 * Seeded randomness for the example, so that every run meets the same payments and the same service times.
 * The generator draws accounts from it, the fraud API draws service times. A draw is a number in [0, 1).
 */

export type Draw = () => number

/** The mulberry32 generator: 32 bits of state, good enough for a load and the same on every machine. */
export function seededDraw(seed: number): Draw {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/**
 * Erlang-4 around the given mean: what a request costs that passes four similar steps. The coefficient of variation
 * is 0.5, so the slowest of a thousand takes about three times the mean.
 */
export function erlang4(draw: Draw, mean: number): number {
  const product = (1 - draw()) * (1 - draw()) * (1 - draw()) * (1 - draw())
  return (-Math.log(product) * mean) / 4
}

/** Draws 0 … size−1 so that rank r comes up in proportion to 1 / (r + 1)^exponent (Zipf's law). */
export function zipf(draw: Draw, size: number, exponent: number): Draw {
  const upTo = new Float64Array(size)
  let sum = 0
  for (let rank = 0; rank < size; rank += 1) {
    sum += 1 / (rank + 1) ** exponent
    upTo[rank] = sum
  }
  return () => {
    const wanted = draw() * sum
    let low = 0
    let high = size - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if (upTo[middle]! > wanted) high = middle
      else low = middle + 1
    }
    return low
  }
}
