/**
 * The work that all sides of the engine bench do alike: the same prepared numbers in, the same three functions over
 * them, the same count out. A side whose count is off has not done the work, and its figure is thrown away.
 */
import type { Contender } from '../harness.ts'

export const add = (value: number): number => value + 1
export const notThird = (value: number): boolean => value % 3 !== 0
export const double = (value: number): number => value * 2
/** Settles on the next microtask: what is left is the price of the concurrency itself. */
export const settle = async (value: number): Promise<number> => value

export const CONCURRENCY = 64

/** Where every value comes out. */
export const all = (n: number): number => n

/** How many of `0 … n-1` are left after `add` and `notThird`. */
export function keptOf(n: number): number {
  return n - Math.floor(n / 3)
}

export function numbers(n: number): number[] {
  return Array.from({ length: n }, (_, index) => index)
}

/** A side that turns an array of numbers into a count; `expected` says which count is right. */
export function counting(
  limits: { readonly warm: number; readonly most?: number; readonly fixed?: number },
  expected: (n: number) => number,
  work: (values: readonly number[]) => Promise<number>,
): Contender {
  let values: number[] = []
  return {
    ...limits,
    prepare(n) {
      values = numbers(n)
    },
    async run(n) {
      const count = await work(values)
      if (count !== expected(n)) throw new Error(`${count} of ${expected(n)} came out`)
    },
  }
}
