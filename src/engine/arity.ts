/**
 * Whether a function could tell if a second argument were left out, read from its text. An arrow function of one
 * parameter cannot, nor can any other that never speaks of its `arguments`; then neither a record nor a context has to
 * be made for it. Of a text that is not understood we assume that it can.
 */
export function canSeeSecondArgument(fn: (...args: never[]) => unknown): boolean {
  if (fn.length > 1) return true
  const text = Function.prototype.toString.call(fn)
  return !ARROW.test(text) && !(OTHER.test(text) && !ARGUMENTS.test(text))
}

const NAME = String.raw`[\p{ID_Start}$_][\p{ID_Continue}$]*`
/** Names, colons and commas: what stands between the braces of a pattern. */
const FIELDS = String.raw`[\p{ID_Continue}$\s,:]`
/** A name, or fields taken out of an object and of objects in it, without defaults: those could be anything. */
const PARAMETER = String.raw`\(\s*(?:${NAME}|\{(?:${FIELDS}|\{${FIELDS}*\})*\})\s*\)`
const ARROW = new RegExp(String.raw`^(?:async\s*)?(?:${PARAMETER}|(?<=^|\s)${NAME})\s*=>`, 'u')
/** `function (value) {`, `function name(value) {`, and a method `name(value) {`. */
const OTHER = new RegExp(String.raw`^(?:async\s+)?(?:function\s*)?(?:${NAME})?\s*${PARAMETER}\s*\{`, 'u')
/** Also within code made from text, and with letters written as their numbers. */
const ARGUMENTS = /arguments|eval|\\u/
