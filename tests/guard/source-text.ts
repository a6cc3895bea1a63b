/**
 * Reads a TypeScript file the way the guard needs it: `blank` keeps the code and its positions and empties comments,
 * strings, template text and regular expressions, so that a plain search over the rest sees code only. `importsOf`
 * and `exportsOf` list what crosses a file's border. Called by `inspect.ts`; it never resolves or runs anything.
 */

export interface ImportSite {
  readonly specifier: string
  /** `import type` or `export type`: erased by the compiler. (`import { type A }` is not: it still loads the module.) */
  readonly typeOnly: boolean
  readonly line: number
}

export interface ExportSite {
  readonly name: string
  readonly line: number
}

/** After these words a slash starts a regular expression, although they end in a letter. */
const BEFORE_REGEX = /(?:^|[^\w$.])(?:return|typeof|case|in|of|do|else|void|delete|throw|new|await|yield|instanceof)$/

/** The text with equal length and lines, in which only code is left; quotes stay, what is between them does not. */
export function blank(text: string): string {
  const out = text.split('')
  const erase = (from: number, to: number): void => {
    for (let at = from; at < to && at < out.length; at += 1) if (out[at] !== '\n') out[at] = ' '
  }
  // One entry for each template we are inside of: how many braces its present `${ … }` has open.
  const templates: number[] = []
  let at = 0
  let codeStart = 0

  const templateText = (from: number): number => {
    let end = from
    while (end < text.length && text[end] !== '`') {
      if (text[end] === '\\') end += 2
      else if (text[end] === '$' && text[end + 1] === '{') {
        templates.push(0)
        erase(from, end)
        return end + 2
      } else end += 1
    }
    erase(from, end)
    return end + 1
  }

  while (at < text.length) {
    const char = text[at] as string
    const next = text[at + 1]
    if (char === '/' && next === '/') {
      const end = endOr(text.indexOf('\n', at), text.length)
      erase(at, end)
      at = end
    } else if (char === '/' && next === '*') {
      const end = endOr(text.indexOf('*/', at + 2), text.length) + 2
      erase(at, end)
      at = end
    } else if (char === "'" || char === '"') {
      const end = stringEnd(text, at, char)
      erase(at + 1, end)
      at = end + 1
      codeStart = at - 1
    } else if (char === '`') {
      at = templateText(at + 1)
      codeStart = at - 1
    } else if (char === '/' && startsRegex(out, codeStart, at)) {
      const end = regexEnd(text, at)
      erase(at + 1, end - 1)
      at = end
      codeStart = at - 1
    } else if (char === '{' && templates.length > 0) {
      templates.push((templates.pop() as number) + 1)
      at += 1
    } else if (char === '}' && templates.length > 0) {
      const open = templates.pop() as number
      if (open === 0) at = templateText(at + 1)
      else {
        templates.push(open - 1)
        at += 1
      }
    } else {
      at += 1
    }
  }
  return out.join('')
}

function endOr(index: number, fallback: number): number {
  return index < 0 ? fallback : index
}

function stringEnd(text: string, from: number, quote: string): number {
  let at = from + 1
  while (at < text.length && text[at] !== quote && text[at] !== '\n') at += text[at] === '\\' ? 2 : 1
  return at
}

/** A slash divides when a value stands before it, else it opens a regular expression. */
function startsRegex(out: readonly string[], codeStart: number, slash: number): boolean {
  let at = slash - 1
  while (at >= 0 && /\s/.test(out[at] as string)) at -= 1
  if (at < 0) return true
  const before = out[at] as string
  if (/[)\]}'"`]/.test(before)) return false
  if (!/[\w$]/.test(before)) return true
  return BEFORE_REGEX.test(out.slice(Math.max(codeStart, at - 16, 0), at + 1).join(''))
}

function regexEnd(text: string, from: number): number {
  let inClass = false
  let at = from + 1
  for (; at < text.length && text[at] !== '\n'; at += 1) {
    const char = text[at]
    if (char === '\\') at += 1
    else if (char === '[') inClass = true
    else if (char === ']') inClass = false
    else if (char === '/' && !inClass) break
  }
  return at + 1
}

export function lineOf(text: string, index: number): number {
  let line = 1
  for (let at = text.indexOf('\n'); at >= 0 && at < index; at = text.indexOf('\n', at + 1)) line += 1
  return line
}

const IMPORT_SITES: readonly { readonly pattern: RegExp; readonly typeOnly: (match: RegExpExecArray) => boolean }[] = [
  // import a, { b } from 'x' · export * from 'x' · import type { A } from 'x'
  {
    pattern: /\b(?:import|export)(\s+type\b(?!\s*(?:,|from\b)))?(?:[\w$\s{},*]*?)\bfrom\s*(['"])/g,
    typeOnly: (match) => match[1] !== undefined,
  },
  // import 'x'
  { pattern: /\bimport\s*(['"])/g, typeOnly: () => false },
  // import('x') runs; `typeof import('x')` and `import('x').Type` are rare enough to count as running
  { pattern: /\bimport\s*\(\s*(['"])/g, typeOnly: () => false },
  { pattern: /(?<![\w$.])require\s*\(\s*(['"])/g, typeOnly: () => false },
]

/** Every module that the file names, in any form of import. `code` is `blank(text)`. */
export function importsOf(text: string, code: string): ImportSite[] {
  const sites: ImportSite[] = []
  for (const { pattern, typeOnly } of IMPORT_SITES) {
    for (const match of code.matchAll(pattern)) {
      const quoteAt = match.index + match[0].length - 1
      const specifier = text.slice(quoteAt + 1, stringEnd(text, quoteAt, text[quoteAt] as string))
      sites.push({ specifier, typeOnly: typeOnly(match as RegExpExecArray), line: lineOf(text, match.index) })
    }
  }
  return sites
}

const DECLARATION =
  /\bexport\s+(?:declare\s+)?(?:default\s+)?(?:abstract\s+)?(?:async\s+)?(?:const|let|var|function\s*\*?|class|interface|type|enum)\s+([A-Za-z_$][\w$]*)/g
const EXPORT_LIST = /\bexport\s+(?:type\s+)?\{([^}]*)\}/g

/** The names under which the file exports things. `code` is `blank(text)`. */
export function exportsOf(code: string): ExportSite[] {
  const sites: ExportSite[] = []
  for (const match of code.matchAll(DECLARATION)) {
    sites.push({ name: match[1] as string, line: lineOf(code, match.index) })
  }
  for (const match of code.matchAll(EXPORT_LIST)) {
    for (const entry of (match[1] as string).split(',')) {
      const name = entry.trim().split(/\s+/).at(-1)
      if (name) sites.push({ name, line: lineOf(code, match.index) })
    }
  }
  return sites
}
