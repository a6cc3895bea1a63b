/**
 * JSON from outside, read safely: bounded nesting, prototype keys dropped, invalid UTF-8 refused. The file connector
 * and the builder's `json(schema)` decode with it. Whatever the input, it returns a plain value or throws
 * `HG_RECORD_REJECTED` with the position of the fault; it never recurses over the input before its depth is known.
 */
import { reject } from './errors.ts'

export interface ParseJsonOptions {
  /** Levels of arrays and objects at most; default 64, range 1–1000. Raise when valid documents nest deeper. */
  readonly maxDepth?: number
}

const QUOTE = 0x22
const BACKSLASH = 0x5c

const utf8 = new TextDecoder('utf-8', { fatal: true })

/**
 * Parses one JSON document from text or UTF-8 bytes (a byte order mark is skipped). `__proto__` keys, and a
 * `constructor` that holds a `prototype`, are dropped. Throws `HG_RECORD_REJECTED`; positions count characters from 0,
 * and the message never quotes the document itself.
 */
export function parseJson(raw: Uint8Array | string, options?: ParseJsonOptions): unknown {
  const text = typeof raw === 'string' ? withoutMark(raw) : decodeUtf8(raw)
  checkDepth(text, options?.maxDepth ?? 64)
  try {
    return mayPollute(text) ? JSON.parse(text, dropPrototypeKeys) : JSON.parse(text)
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause
    throw reject(`not valid JSON: ${explain(text)}`)
  }
}

function withoutMark(text: string): string {
  return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text
}

function decodeUtf8(raw: Uint8Array): string {
  try {
    return utf8.decode(raw)
  } catch {
    throw reject('not valid JSON: the bytes are not valid UTF-8')
  }
}

function checkDepth(text: string, maxDepth: number): void {
  // Each level is opened and closed, so a short text is not deeper unless it is no JSON. Most others open so few arrays
  // and objects that they cannot be deeper; looking for these is far cheaper.
  if (text.length < 2 * (maxDepth + 1) || opensAtMost(text, maxDepth)) return
  let depth = 0
  for (let at = 0; at < text.length; at += 1) {
    const char = text.charCodeAt(at)
    if (char === QUOTE) {
      at = endOfString(text, at)
      if (at < 0) return
    } else if (char === 0x7b || char === 0x5b) {
      depth += 1
      if (depth > maxDepth) throw reject(`JSON is nested deeper than ${maxDepth} levels at position ${at}`)
    } else if (char === 0x7d || char === 0x5d) {
      depth -= 1
    }
  }
}

/** True when arrays and objects, and such characters within strings, are at most so many. */
function opensAtMost(text: string, most: number): boolean {
  let count = 0
  for (const opener of ['{', '[']) {
    for (let at = text.indexOf(opener); at >= 0; at = text.indexOf(opener, at + 1)) {
      count += 1
      if (count > most) return false
    }
  }
  return true
}

/** Where the string that opens at `open` closes, or -1. Linear: each run of backslashes is counted once. */
function endOfString(text: string, open: number): number {
  for (let close = text.indexOf('"', open + 1); close >= 0; close = text.indexOf('"', close + 1)) {
    let slashes = 0
    while (text.charCodeAt(close - 1 - slashes) === BACKSLASH) slashes += 1
    if (slashes % 2 === 0) return close
  }
  return -1
}

/** Reviving costs several times a plain parse, so only text that could hold such a key pays for it. */
function mayPollute(text: string): boolean {
  if (text.includes('proto')) return true
  return text.includes('\\') && text.includes('\\u00') && /\\u00[567]/.test(text)
}

function dropPrototypeKeys(key: string, value: unknown): unknown {
  if (key === '__proto__') return undefined
  if (key === 'constructor' && typeof value === 'object' && value !== null && Object.hasOwn(value, 'prototype')) {
    return undefined
  }
  return value
}

const SPACE = /[ \t\n\r]*/y
const SCALAR = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y
/** What a string may not hold: control characters, and backslashes that begin no escape. */
const BAD_IN_STRING = /\p{Cc}|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}|(.|$))/gu

function skip(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at
  return pattern.test(text) ? pattern.lastIndex : at
}

function badInString(text: string, open: number, close: number): number {
  for (const match of text.slice(open + 1, close).matchAll(BAD_IN_STRING)) {
    if (match[0] < ' ' || match[1] !== undefined) return open + 1 + match.index
  }
  return -1
}

/** Finds the first character that no JSON document could have there. Only runs on text that failed to parse. */
function explain(text: string): string {
  const open: string[] = []
  let expects: 'value' | 'first' | 'key' | 'colon' | 'next' = 'value'
  let at = skip(SPACE, text, 0)
  while (at < text.length) {
    const char = text[at] as string
    const inside = open.at(-1)
    let end = at + 1
    if (expects === 'colon') {
      if (char !== ':') break
      expects = 'value'
    } else if (expects === 'next') {
      if (char === ',' && inside) expects = inside === '{' ? 'key' : 'value'
      else if ((char === '}' && inside === '{') || (char === ']' && inside === '[')) open.pop()
      else break
    } else if (expects === 'first' && char === (inside === '{' ? '}' : ']')) {
      open.pop()
      expects = 'next'
    } else if (char === '"') {
      end = endOfString(text, at) + 1
      if (end === 0) return `the string that starts at position ${at} is not closed`
      const bad = badInString(text, at, end - 1)
      if (bad >= 0) return `bad character in a string at position ${bad}`
      expects = expects === 'key' || (expects === 'first' && inside === '{') ? 'colon' : 'next'
    } else if (expects === 'key' || (expects === 'first' && inside === '{')) {
      break
    } else if (char === '{' || char === '[') {
      open.push(char)
      expects = 'first'
    } else {
      end = skip(SCALAR, text, at)
      if (end === at) break
      expects = 'next'
    }
    at = skip(SPACE, text, end)
  }
  if (at < text.length) return `unexpected character at position ${at}`
  return text.trim() === '' ? 'it is empty' : `it ends too early, at position ${at}`
}
