/** Reads Prometheus' text format strictly, as a scraper does: anything that is not a line of it throws. */
export interface Series {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export interface Exposed {
  readonly types: ReadonlyMap<string, string>
  readonly helps: ReadonlyMap<string, string>
  readonly series: readonly Series[]
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*/
const NUMBER = /^(?:[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?|[+-]Inf|NaN)$/

export function readExposition(text: string): Exposed {
  if (!text.endsWith('\n')) throw new Error('the last line has no end')
  const types = new Map<string, string>()
  const helps = new Map<string, string>()
  const series: Series[] = []
  for (const line of text.slice(0, -1).split('\n')) {
    const comment = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.*)$/.exec(line)
    if (comment !== null) {
      const into = comment[1] === 'TYPE' ? types : helps
      if (into.has(comment[2] as string)) throw new Error(`twice: ${line}`)
      into.set(comment[2] as string, comment[3] as string)
    } else series.push(readSeries(line))
  }
  return { types, helps, series }
}

function readSeries(line: string): Series {
  const name = NAME.exec(line)?.[0]
  if (name === undefined) throw new Error(`no series: ${line}`)
  const labels: Record<string, string> = {}
  let at = name.length
  if (line[at] === '{') {
    for (at += 1; line[at] !== '}'; ) {
      const label = /^([a-zA-Z_]\w*)="((?:[^"\\\n]|\\[\\"n])*)",?/.exec(line.slice(at))
      if (label === null) throw new Error(`no label at ${at}: ${line}`)
      labels[label[1] as string] = (label[2] as string).replaceAll(/\\(.)/g, (_, escaped: string) =>
        escaped === 'n' ? '\n' : escaped,
      )
      at += label[0].length
    }
    at += 1
  }
  const value = line.slice(at + 1)
  if (line[at] !== ' ' || !NUMBER.test(value)) throw new Error(`no value: ${line}`)
  return { name, labels, value: Number(value.replace('Inf', 'Infinity')) }
}
