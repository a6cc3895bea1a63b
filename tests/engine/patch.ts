/** Breaks a class on purpose while a function runs, so that a test can show that the oracle would notice. */

type Methods = Record<string, unknown>

/** Replaces a method or getter of a class while `work` runs, and puts it back whatever happens. */
export function broken<R>(
  target: { readonly prototype: object },
  name: string,
  replace: (original: (this: never, ...args: never[]) => unknown) => (this: never, ...args: never[]) => unknown,
  work: () => R,
): R {
  const { prototype } = target
  const before = Object.getOwnPropertyDescriptor(prototype, name)
  if (before === undefined) throw new Error(`there is no '${name}' to break`)
  if (before.get === undefined) (prototype as Methods)[name] = replace(before.value)
  else Object.defineProperty(prototype, name, { ...before, get: replace(before.get as never) as () => unknown })
  try {
    return work()
  } finally {
    Object.defineProperty(prototype, name, before)
  }
}
