/** A service that works on four calls at once and lets the others wait, as most do. */
export function slowService(workMs: number, atOnce = 4): (n: number) => Promise<number> {
  const waiting: (() => void)[] = []
  let busy = 0
  return async (n) => {
    if (busy >= atOnce) await new Promise<void>((resolve) => waiting.push(resolve))
    else busy += 1
    await new Promise((resolve) => setTimeout(resolve, workMs))
    const next = waiting.shift()
    if (next === undefined) busy -= 1
    else next()
    return n
  }
}
