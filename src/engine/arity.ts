/**
 * Whether a function could tell if a second argument were left out. An arrow function of one plain parameter cannot,
 * and so neither a record nor a context has to be made for it; of any other function we assume that it can.
 */
export function canSeeSecondArgument(fn: (...args: never[]) => unknown): boolean {
  return !ONE_PARAMETER.test(Function.prototype.toString.call(fn))
}

const ONE_PARAMETER =
  /^(?:async\s*)?(?:\(\s*[\p{ID_Start}$_][\p{ID_Continue}$]*\s*\)|(?<=^|\s)[\p{ID_Start}$_][\p{ID_Continue}$]*)\s*=>/u
