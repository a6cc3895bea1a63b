/** Draws lines over time as SVG text: panels one below the other that share the time axis. No fonts but the reader's. */

export interface Curve {
  readonly label: string
  readonly color: string
  readonly dashed?: boolean
  /** One value a point; NaN leaves a gap. */
  readonly values: readonly number[]
}

export interface Panel {
  readonly title: string
  readonly unit: string
  /** The top of the axis; what is above is cut off. Default: just above the highest value. */
  readonly top?: number
  readonly curves: readonly Curve[]
}

export interface Drawing {
  readonly title: string
  readonly stepMs: number
  /** Times of change with what begins there. */
  readonly marks: readonly { readonly atMs: number; readonly label: string }[]
  readonly panels: readonly Panel[]
}

const WIDTH = 860
const LEFT = 58
const RIGHT = 16
const PANEL = 150
const GAP = 34
const TOP = 64
const INK = '#24292f'
const GRID = '#d8dee4'
const PLOT = WIDTH - LEFT - RIGHT

export function drawingToSvg(drawing: Drawing): string {
  const height = TOP + drawing.panels.length * (PANEL + GAP) + 10
  const points = Math.max(...drawing.panels.flatMap((panel) => panel.curves.map((curve) => curve.values.length)))
  const endMs = points * drawing.stepMs
  const x = (ms: number): string => (LEFT + (PLOT * ms) / endMs).toFixed(1)
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    text(LEFT, 22, drawing.title, `font-size="15" font-weight="bold"`),
    ...legend(drawing.panels),
  ]
  drawing.panels.forEach((panel, index) => {
    const top = TOP + index * (PANEL + GAP) + 14
    parts.push(...panelParts(panel, top, drawing.stepMs, endMs, x))
    for (const { atMs, label } of drawing.marks) {
      parts.push(line(x(atMs), top, x(atMs), top + PANEL, '#8250df', '3 3'))
      if (index === 0) parts.push(text(Number(x(atMs)) + 4, top + 11, label, `fill="#8250df" font-size="11"`))
    }
  })
  const bottom = TOP + drawing.panels.length * (PANEL + GAP) - 6
  for (let second = 0; second * 1000 <= endMs; second += niceStep(endMs / 1000 / 8)) {
    parts.push(text(Number(x(second * 1000)), bottom, `${second} s`, `text-anchor="middle"`))
  }
  return `${[...parts, '</svg>'].join('\n')}\n`
}

function panelParts(panel: Panel, top: number, stepMs: number, endMs: number, x: (ms: number) => string): string[] {
  const highest = Math.max(
    1,
    ...panel.curves.flatMap((curve) => curve.values.filter((value) => Number.isFinite(value))),
  )
  const most = panel.top ?? highest * 1.08
  const y = (value: number): number => top + PANEL * (1 - Math.min(1, value / most))
  const parts = [text(LEFT, top - 5, `${panel.title}, ${panel.unit}`, `font-weight="bold"`)]
  for (let tick = 0; tick <= most; tick += niceStep(most / 4)) {
    parts.push(line(LEFT, y(tick), WIDTH - RIGHT, y(tick), GRID))
    parts.push(text(LEFT - 6, y(tick) + 4, shortNumber(tick), `text-anchor="end"`))
  }
  for (const curve of panel.curves) {
    let path = ''
    let gap = true
    curve.values.forEach((value, index) => {
      if (!Number.isNaN(value))
        path += `${gap ? 'M' : 'L'}${x(Math.min(endMs, (index + 0.5) * stepMs))} ${y(value).toFixed(1)}`
      gap = Number.isNaN(value)
    })
    const dashes = curve.dashed ? ' stroke-dasharray="5 4"' : ''
    parts.push(`<path d="${path}" fill="none" stroke="${curve.color}" stroke-width="1.5"${dashes}/>`)
  }
  return parts
}

function legend(panels: readonly Panel[]): string[] {
  const known = new Map(panels.flatMap((panel) => panel.curves.map((curve) => [curve.label, curve] as const)))
  let left = LEFT
  return [...known.values()].flatMap(({ label, color, dashed }) => {
    const at = left
    left += 36 + label.length * 7
    return [line(at, 40, at + 20, 40, color, dashed ? '5 4' : undefined, 2), text(at + 25, 44, label)]
  })
}

function line(
  x1: number | string,
  y1: number,
  x2: number | string,
  y2: number,
  color: string,
  dashes?: string,
  width = 1,
): string {
  const dashed = dashes === undefined ? '' : ` stroke-dasharray="${dashes}"`
  return `<line x1="${x1}" y1="${y1.toFixed(1)}" x2="${x2}" y2="${y2.toFixed(1)}" stroke="${color}" stroke-width="${width}"${dashed}/>`
}

function text(x: number, y: number, content: string, attributes = ''): string {
  const escaped = content.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" fill="${INK}" ${attributes}>${escaped}</text>`.replace(
    /fill="[^"]*" (.*fill=)/,
    '$1',
  )
}

/** 1, 2 or 5 times a power of ten, at least `least`. */
function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least))
  const step = [1, 2, 5, 10].find((factor) => factor * power >= least) ?? 10
  return step * power
}

function shortNumber(value: number): string {
  return value >= 10_000 ? `${value / 1000}k` : String(Number(value.toPrecision(3)))
}
