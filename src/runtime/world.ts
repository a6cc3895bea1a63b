/** The clock, the wall clock and the seed, taken from here and nowhere else, so that a test can hand in its own. */
export interface World {
  /** Monotonic, in ms with a fraction. */
  nowMs(): number
  /** Milliseconds since the Unix epoch. */
  wallMs(): number
  /** For the jitter of one run. */
  seed(): number
}

export const REAL_WORLD: World = {
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
  seed: () => Math.floor(Math.random() * 2 ** 32),
}
