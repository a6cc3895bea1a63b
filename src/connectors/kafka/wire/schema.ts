/** The parts that the schemas of source, sink and connection are made of. */
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

/** A text of 1 to 249 characters, as Kafka allows for names of groups and clients. */
export const text: z.ZodType<string> = z
  .string({ error: 'a text of 1 to 249 characters' })
  .min(1, { error: 'a text of 1 to 249 characters' })
  .max(249, { error: 'a text of 1 to 249 characters' })

/** The name of a topic. */
export const topicName: z.ZodType<string> = z
  .string({ error: "1 to 249 letters, digits, '.', '_' or '-'" })
  .regex(/^[A-Za-z0-9._-]{1,249}$/, { error: "1 to 249 letters, digits, '.', '_' or '-'" })
