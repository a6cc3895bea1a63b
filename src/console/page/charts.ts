/**
 * The last 15 minutes in three charts on one time axis, with the verdicts under them. uPlot draws; this file keeps the
 * columns, colours and sizes. Lines differ in dash and width as well as in colour, and each chart says its latest
 * figures in words, which is also what a screen reader hears.
 */
import uPlot from 'uplot'
import { FLOW_SERIES, type FlowSeries, type HistoryDocument, type HistorySample } from '../documents.ts'
import { count, duration, rate, UNKNOWN } from '../terminal/figures.ts'
import { byId, element, set, write } from './dom.ts'

const SPAN_MS = 15 * 60_000
const LEAST_SPAN_MS = 3 * 60_000
/** Of a drawing without the time axis, which stands once, under the last chart. */
const HEIGHT = 108
const TIME_PX = 24
const NO_TIME_PX = 6
/** Room for half of the last time on the axis. */
const RIGHT_PX = 16
/** Of the value axis, so that all charts and the verdicts under them begin at the same pixel. */
const AXIS_PX = 58

interface Series {
  readonly column: FlowSeries
  readonly label: string
  readonly colour: string
  readonly width: number
  readonly dash: number[]
}

interface ChartPlan {
  readonly title: string
  readonly print: (value: number | null) => string
  readonly series: readonly Series[]
  /** What is above this multiple of the first series is cut off: one burst would flatten all else. */
  readonly mostOfFirst?: number
}

const CHARTS: readonly ChartPlan[] = [
  {
    title: 'Records a second',
    print: rate,
    mostOfFirst: 2,
    series: [
      { column: 'donePerSecond', label: 'completed', colour: '--water', width: 2, dash: [] },
      { column: 'inPerSecond', label: 'pulled', colour: '--quiet', width: 1, dash: [4, 3] },
      { column: 'failedPerSecond', label: 'failed', colour: '--alarm', width: 1.5, dash: [1, 3] },
    ],
  },
  {
    title: 'End-to-end latency',
    print: duration,
    series: [
      { column: 'latencyP99Ms', label: 'p99', colour: '--amber', width: 2, dash: [6, 3] },
      { column: 'latencyP50Ms', label: 'p50', colour: '--water', width: 2, dash: [] },
    ],
  },
  {
    title: 'Oldest record waits',
    print: duration,
    series: [{ column: 'queueAgeMs', label: 'queue age', colour: '--violet', width: 2, dash: [] }],
  },
  {
    title: 'In flight, under what the gate admits',
    print: count,
    series: [
      { column: 'inFlight', label: 'in flight', colour: '--water', width: 2, dash: [] },
      { column: 'admissionLimit', label: 'admitted at most', colour: '--quiet', width: 1, dash: [4, 3] },
    ],
  },
]

interface Drawn {
  readonly plan: ChartPlan
  readonly root: HTMLElement
  readonly words: readonly HTMLElement[]
  plot: uPlot | undefined
}

export class Charts {
  #atMs: number[] = []
  #columns = new Map<FlowSeries, (number | null)[]>(FLOW_SERIES.map((name) => [name, []]))
  readonly #drawn: Drawn[]
  readonly #place = byId('charts')

  constructor() {
    this.#drawn = CHARTS.map((plan) => this.#frame(plan))
    new ResizeObserver(() => this.#resize()).observe(this.#place)
  }

  get latestMs(): number | undefined {
    return this.#atMs.at(-1)
  }

  get samples(): number {
    return this.#atMs.length
  }

  replace(history: HistoryDocument): void {
    this.#atMs = [...history.atMs]
    for (const name of FLOW_SERIES) this.#columns.set(name, [...(history.flow[name] ?? [])])
    this.#draw()
  }

  add(sample: HistorySample): void {
    if (sample.atMs <= (this.#atMs.at(-1) ?? 0)) return
    this.#atMs.push(sample.atMs)
    for (const [name, values] of this.#columns) values.push(sample.flow[name])
    const old = this.#atMs.findIndex((atMs) => atMs >= sample.atMs - SPAN_MS)
    if (old > 0) {
      this.#atMs.splice(0, old)
      for (const values of this.#columns.values()) values.splice(0, old)
    }
    this.#draw()
  }

  /** Canvases have no variables: after a change of colours they are made anew. */
  recolour(): void {
    for (const drawn of this.#drawn) {
      drawn.plot?.destroy()
      drawn.plot = undefined
    }
    this.#draw()
  }

  #frame(plan: ChartPlan): Drawn {
    const words = plan.series.map(() => element('b'))
    const legend = plan.series.map(({ label, colour, dash }, index) => {
      const line = element('i', { class: dash.length > 0 ? 'line dashed' : 'line', 'aria-hidden': 'true' })
      line.style.borderTopColor = `var(${colour})`
      return element('span', {}, line, `${label} `, words[index] as HTMLElement)
    })
    const root = element('div', { class: 'plot', 'aria-hidden': 'true' })
    this.#place.append(
      element(
        'figure',
        { class: 'chart' },
        element('figcaption', {}, element('h3', {}, plan.title), element('p', { class: 'key' }, ...legend)),
        root,
      ),
    )
    return { plan, root, words, plot: undefined }
  }

  #draw(): void {
    if (this.#atMs.length === 0 || this.#place.clientWidth < 60) return
    for (const drawn of this.#drawn) {
      const columns = drawn.plan.series.map(({ column }) => this.#columns.get(column) as (number | null)[])
      const data: uPlot.AlignedData = [this.#atMs.map((atMs) => atMs / 1000), ...columns]
      if (drawn.plot) drawn.plot.setData(data)
      else drawn.plot = new uPlot(this.#options(drawn), data, drawn.root)
      if (drawn.plot.cursor.idx === null || drawn.plot.cursor.idx === undefined) this.#say(drawn, this.#atMs.length - 1)
    }
  }

  #say({ plan, words }: Drawn, index: number): void {
    plan.series.forEach(({ column }, nth) => {
      const value = this.#columns.get(column)?.[index] ?? null
      write(words[nth] as HTMLElement, value === null ? UNKNOWN : plan.print(value))
    })
  }

  #resize(): void {
    const width = this.#place.clientWidth
    if (width < 60) return
    for (const { plot } of this.#drawn) if (plot && plot.width !== width) plot.setSize({ width, height: plot.height })
    if (this.#drawn.some(({ plot }) => plot === undefined)) this.#draw()
  }

  #options(drawn: Drawn): uPlot.Options {
    const { plan } = drawn
    const hasTime = plan === CHARTS.at(-1)
    const below = hasTime ? TIME_PX : NO_TIME_PX
    const axis = {
      stroke: colourOf('--quiet'),
      font: '11px system-ui, sans-serif',
      ticks: { show: false },
      grid: { stroke: colourOf('--line'), width: 1 },
    }
    return {
      width: this.#place.clientWidth,
      height: HEIGHT + below,
      padding: [8, RIGHT_PX, 0, 0],
      legend: { show: false },
      cursor: { sync: { key: 'headgate' }, drag: { x: false, y: false }, points: { size: 7 } },
      hooks: { setCursor: [(plot) => this.#say(drawn, plot.cursor.idx ?? this.#atMs.length - 1)] },
      scales: {
        x: { time: true, range: () => this.window() },
        y: { range: (plot, __, most) => [0, Math.max(1, topOf(plan, plot, most ?? 1) * 1.1)] },
      },
      axes: [
        {
          ...axis,
          size: below,
          space: 70,
          values: (_, splits) => {
            const print = (splits[1] ?? 0) - (splits[0] ?? 0) < 60 ? SECONDS : HOURS
            return splits.map((at) => (hasTime ? print.format(at * 1000) : ''))
          },
        },
        { ...axis, size: AXIS_PX, space: 34, values: (_, splits) => splits.map((value) => plan.print(value)) },
      ],
      series: [
        {},
        ...plan.series.map(({ label, colour, width, dash }) => ({
          label,
          stroke: colourOf(colour),
          width,
          dash,
          spanGaps: false,
          points: { show: false },
        })),
      ],
    }
  }

  /** The time axis, in seconds: it ends now, and begins with the first figure until there are 15 minutes of them. */
  window(): [number, number] {
    const endMs = this.#atMs.at(-1) ?? Date.now()
    const knownMs = endMs - (this.#atMs[0] ?? endMs)
    return [(endMs - Math.min(SPAN_MS, Math.max(LEAST_SPAN_MS, knownMs))) / 1000, endMs / 1000]
  }
}

const HOURS = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', hour12: false })
const SECONDS = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium', hour12: false })

function topOf({ mostOfFirst }: ChartPlan, { data }: uPlot, most: number): number {
  if (mostOfFirst === undefined) return most
  let first = 0
  for (const value of data[1] ?? []) first = Math.max(first, value ?? 0)
  return first > 0 ? Math.min(most, first * mostOfFirst) : most
}

/** What a variable of the style sheet is at present, as a colour that a canvas takes. */
function colourOf(variable: string): string {
  const probe = byId('patterns')
  probe.style.color = `var(${variable})`
  return getComputedStyle(probe).color
}

export function showChartTime(latestMs: number | undefined, samples: number): void {
  write(byId('charts-at'), latestMs === undefined ? 'nothing yet' : `one figure a second, ${count(samples)} of them`)
  set(byId('charts'), { 'data-samples': samples })
}
