/**
 * Reads one header by its name from whatever a client keeps headers in: `Headers`, a plain object, a Map, or the list of
 * names and values that Node.js calls raw. Invariant: a text of bounded length or null, and it never throws.
 */

const LONGEST_VALUE = 4096
const MOST_NAMES = 1000

interface WithGet {
  get(name: string): unknown
}

/** The value of the header called `name`, which is given in lower case. Several values are joined with commas. */
export function headerOf(headers: unknown, name: string): string | null {
  try {
    return textOf(givenFor(headers, name))
  } catch {
    // A getter or a proxy that throws when it is looked at.
    return null
  }
}

function givenFor(headers: unknown, name: string): unknown {
  if (typeof headers !== 'object' || headers === null) return null
  if (headers instanceof Map) return headers.get(name) ?? among(headers.entries(), name)
  if (Array.isArray(headers)) return among(Array.isArray(headers[0]) ? headers : paired(headers), name)
  if (typeof (headers as Partial<WithGet>).get === 'function') return (headers as WithGet).get(name)
  const plain = headers as Readonly<Record<string, unknown>>
  if (plain[name] !== undefined) return plain[name]
  for (const key in plain) if (key.length === name.length && key.toLowerCase() === name) return plain[key]
  return null
}

function among(entries: Iterable<readonly [unknown, unknown]>, name: string): unknown {
  let seen = 0
  for (const [key, value] of entries) {
    if ((seen += 1) > MOST_NAMES) return null
    // In some clients names are bytes. The length comes first because most names differ in it.
    const text = typeof key === 'string' ? key : String(key)
    if (text.length === name.length && text.toLowerCase() === name) return value
  }
  return null
}

function* paired(raw: readonly unknown[]): Iterable<readonly [unknown, unknown]> {
  for (let at = 0; at + 1 < raw.length; at += 2) yield [raw[at], raw[at + 1]]
}

function textOf(value: unknown): string | null {
  if (typeof value === 'string') return value.length > LONGEST_VALUE ? null : value
  if (typeof value === 'number') return String(value)
  if (Array.isArray(value)) return value.length > MOST_NAMES ? null : textOf(value.map(String).join(', '))
  return value instanceof Uint8Array && value.length <= LONGEST_VALUE ? String(value) : null
}
