/**
 * Lines made of toned spans: the only way text reaches the terminal view. Width is measured and cut here, before any
 * colour is added, and control characters in names and sentences become spaces. So a line can neither exceed the
 * terminal's width nor smuggle an escape code into it, whatever a pipeline or a record is called.
 */

export type Tone = 'plain' | 'dim' | 'strong' | 'accent' | 'good' | 'warn' | 'bad' | 'cool' | 'mark'

export interface Span {
  readonly text: string
  readonly tone: Tone
}

export type Line = readonly Span[]

/** Select Graphic Rendition codes, on and off, from the sixteen colours that every theme defines. */
const SGR: Readonly<Record<Tone, readonly [string, string] | null>> = {
  plain: null,
  dim: ['\u001b[2m', '\u001b[22m'],
  strong: ['\u001b[1m', '\u001b[22m'],
  accent: ['\u001b[36m', '\u001b[39m'],
  good: ['\u001b[32m', '\u001b[39m'],
  warn: ['\u001b[33m', '\u001b[39m'],
  bad: ['\u001b[31m', '\u001b[39m'],
  cool: ['\u001b[34m', '\u001b[39m'],
  mark: ['\u001b[1;7m', '\u001b[22;27m'],
}

const CONTROL = /\p{Cc}/gu
const ZERO_WIDTH = /[\p{Mn}\p{Me}\p{Cf}]/u
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u

export function span(text: string, tone: Tone = 'plain'): Span {
  return { text: text.replace(CONTROL, ' '), tone }
}

function cellsOf(character: string): number {
  if (character < '\u0300') return 1
  if (ZERO_WIDTH.test(character)) return 0
  return WIDE.test(character) ? 2 : 1
}

/** Terminal cells that the text takes up. */
export function cells(text: string): number {
  let total = 0
  for (const character of text) total += cellsOf(character)
  return total
}

export function lineCells(line: Line): number {
  return line.reduce((total, part) => total + cells(part.text), 0)
}

/** The text in at most `width` cells; what is cut off shows as `…`. */
export function cut(text: string, width: number): string {
  if (cells(text) <= width) return text
  if (width < 1) return ''
  let kept = ''
  let used = 0
  for (const character of text) {
    const next = cellsOf(character)
    if (used + next > width - 1) break
    kept += character
    used += next
  }
  return `${kept.trimEnd()}…`
}

/** Exactly `width` cells, the text at the left. */
export function left(text: string, width: number): string {
  const fitted = cut(text.replace(CONTROL, ' '), width)
  return fitted + ' '.repeat(Math.max(0, width - cells(fitted)))
}

/** Exactly `width` cells, the text at the right. */
export function right(text: string, width: number): string {
  const fitted = cut(text.replace(CONTROL, ' '), width)
  return ' '.repeat(Math.max(0, width - cells(fitted))) + fitted
}

/** The line in at most `width` cells. */
export function cutLine(line: Line, width: number): Line {
  if (lineCells(line) <= width) return line
  const kept: Span[] = []
  let free = width
  for (const part of line) {
    const size = cells(part.text)
    if (size >= free) {
      kept.push({ text: cut(`${part.text} `, free), tone: part.tone })
      break
    }
    kept.push(part)
    free -= size
  }
  return kept
}

/** `start` at the left edge and `end` at the right edge; `start` gives way when there is no room for both. */
export function spread(start: Line, end: Line, width: number): Line {
  const endCells = lineCells(end)
  if (endCells >= width) return cutLine(end, width)
  const fitted = cutLine(start, Math.max(0, width - endCells - 1))
  return [...fitted, span(' '.repeat(width - endCells - lineCells(fitted))), ...end]
}

/** Words over as many lines as they need, each at most `width` cells. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.replace(CONTROL, ' ').split(/\s+/).filter(Boolean)) {
    const joined = line ? `${line} ${word}` : word
    if (cells(joined) <= width) {
      line = joined
      continue
    }
    if (line) lines.push(line)
    line = cut(word, width)
  }
  if (line) lines.push(line)
  return lines
}

/** The line as it is written: trailing blanks dropped, and plain text when `colour` is false. */
export function paint(line: Line, colour: boolean): string {
  if (!colour)
    return line
      .map((part) => part.text)
      .join('')
      .trimEnd()
  return line
    .map(({ text, tone }) => {
      const codes = SGR[tone]
      return codes && text.trim() ? `${codes[0]}${text}${codes[1]}` : text
    })
    .join('')
    .trimEnd()
}
