/**
 * The logger of a run: text lines for people, or pino's JSON lines for a log collector. Both are written through one
 * function, so that the live view can print them above itself. Fields come first and a sentence second, as everywhere.
 */
import { pino } from 'pino'
import type { Logger } from '../../model/logger.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'
type LineLevel = Exclude<LogLevel, 'silent'>

export interface RunLoggerOptions {
  readonly level: LogLevel
  readonly format: 'text' | 'json'
  readonly colour: boolean
  /** Receives one line without its line break. */
  readonly write: (line: string) => void
}

const SEVERITY: Readonly<Record<LogLevel, number>> = { debug: 20, info: 30, warn: 40, error: 50, silent: 99 }
const COLOURS: Readonly<Record<LineLevel, string>> = { debug: '2', info: '32', warn: '33', error: '31' }

export function createRunLogger(options: RunLoggerOptions): Logger {
  return options.format === 'json' ? jsonLogger(options) : textLogger(options)
}

function jsonLogger({ level, write }: RunLoggerOptions): Logger {
  const destination = { write: (line: string): void => write(line.trimEnd()) }
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, destination)
}

function textLogger({ level, colour, write }: RunLoggerOptions): Logger {
  const line = (lineLevel: LineLevel) => {
    const name = lineLevel.padEnd(5)
    const shown = colour ? `\u001b[${COLOURS[lineLevel]}m${name}\u001b[0m` : name
    if (SEVERITY[lineLevel] < SEVERITY[level]) return (): void => {}
    return (fields: object, sentence: string): void => {
      const time = new Date().toISOString().slice(11, 23)
      write(`${time} ${shown} ${clean(sentence)}${fieldsText(fields)}`)
    }
  }
  return { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') }
}

/** `  name=value name="two words"`, or nothing. */
function fieldsText(fields: object): string {
  const parts = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${valueText(value)}`)
  return parts.length > 0 ? `  ${parts.join(' ')}` : ''
}

function valueText(value: unknown): string {
  if (value instanceof Error) return JSON.stringify(value.message)
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value))
  return typeof value === 'string' && /[\s"=]|\p{Cc}/u.test(text) ? JSON.stringify(text) : text
}

/** One line stays one line, and data cannot bring escape codes along. */
function clean(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ')
}
