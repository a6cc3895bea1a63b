/**
 * Whether a limit that falls does any good. As it falls, calls become faster if the queue is of one's own making; where
 * they do not, a limit that follows latency falls to nothing. That is an experiment on the downstream too (see
 * `experiment.ts`), one that nobody began: its elasticity is judged alike.
 */
import { type Experiment, OURS } from './experiment.ts'

const LEAST_LEVER = Math.log(2)

export class Descent {
  /** Where latency was first seen to be too high; 0: it is not. */
  #limit = 0
  #rise = 0
  #error = 0

  restart(): void {
    this.#limit = 0
  }

  /** The limit stays below what a brake began with. A fall in steps is one from where it began. */
  braked({ from, before, errorOfFall }: Experiment, baseline: number): void {
    if (from < this.#limit) return
    this.#limit = from
    this.#rise = before - baseline
    this.#error = errorOfFall
  }

  /** Takes the rise of a window over the baseline, and what may be expected of it. True: the limit fell for nothing. */
  isInVain(limit: number, rise: number, error: number, expected: number): boolean {
    if (rise <= expected + error) {
      this.#limit = 0
      return false
    }
    if (limit >= this.#limit || rise - this.#rise > this.#error) {
      this.#limit = limit
      this.#rise = rise
      this.#error = error
      return false
    }
    const lever = Math.log(this.#limit / limit)
    const elasticity = 1 - (this.#rise - rise) / lever
    return lever >= LEAST_LEVER && elasticity > OURS + (0.5 * Math.hypot(error, this.#error)) / lever
  }
}
