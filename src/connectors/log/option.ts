/** The schemas of the log's options; `openLog`, its methods, the source and the sink check with them. */
import { z } from 'zod'

/** An integer of the range, both ends included. */
export function integer(min: number, max: number): z.ZodType<number> {
  const error = `an integer from ${min} to ${max}`
  return z.number({ error }).int({ error }).min(min, { error }).max(max, { error })
}

/** Any function; what it takes and returns is checked by the compiler. */
export function fn<F>(): z.ZodType<F> {
  return z.custom<F>((value) => typeof value === 'function', { error: 'a function' })
}

const nameError = "1 to 200 letters, digits, '.', '_', ':' or '-'"
export const name: z.ZodType<string> = z
  .string({ error: nameError })
  .regex(/^[A-Za-z0-9._:-]{1,200}$/, { error: nameError })

export const directory: z.ZodType<string> = z
  .string({ error: 'the path of a directory' })
  .min(1, { error: 'the path of a directory' })

export const partitions: z.ZodType<number> = integer(1, 256)
export const offset: z.ZodType<number> = integer(0, Number.MAX_SAFE_INTEGER)
export const start = z.union([offset, z.literal(['earliest', 'latest'])], {
  error: "an offset of at least 0, 'earliest' or 'latest'",
})

export const retention = z.strictObject(
  { bytes: integer(1, Number.MAX_SAFE_INTEGER).optional(), ageMs: integer(1, Number.MAX_SAFE_INTEGER).optional() },
  { error: 'an object with bytes, ageMs or both' },
)
