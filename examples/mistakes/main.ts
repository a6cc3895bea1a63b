/** Makes each of the three classic mistakes and prints what the doctor says of it: `npx tsx examples/mistakes/main.ts`. */
import { MISTAKES, seen } from './mistakes.ts'

const names = Object.keys(MISTAKES) as (keyof typeof MISTAKES)[]
for (const { mistake, sentence } of await Promise.all(names.map((name) => seen(name, 60_000))))
  console.log(`${mistake}\n  ${sentence}\n`)
