/**
 * Draws the canal: reservoir, gate, basins, channels, sea and dead letter. The width of a channel is its rate, the water
 * in a basin is how busy it is, the patterned bar says with what. The parts are made anew when the canal changes its
 * shape or the page its width; a look only moves water and words.
 */
import { MARK_LABELS } from '../labels.ts'
import { count, duration, percent, rate } from '../terminal/figures.ts'
import { type Channel, DEAD, GATE, type Layout, layOut, type Place, RESERVOIR, SEA, stationId } from './canal-layout.ts'
import { type Canal, inWords, type Station } from './canal-model.ts'
import { set, shape, write } from './dom.ts'
import { type StateBar, stateBar, stateWords } from './patterns.ts'

const MOST_CHANNEL = 26
const LEAST_CHANNEL = 3
/** Widths of a letter in the sizes of the style sheet. */
const NAME_LETTER = 7.8
const FIGURE_LETTER = 10
const CAPTION_LETTER = 6.5
const HOUR = Math.log10(3600)

interface Drawn {
  readonly place: Place
  readonly group: SVGGElement
  readonly water: SVGRectElement
  readonly surface: SVGRectElement
  readonly name: SVGTextElement
  readonly figure: SVGTextElement
  readonly captions: readonly SVGTextElement[]
  readonly bar: StateBar
  readonly flag: SVGTextElement
  readonly plate: SVGRectElement
}

interface DrawnChannel {
  readonly channel: Channel
  readonly bed: SVGPathElement
  readonly stream: SVGPathElement
  readonly ripple: SVGPathElement
  readonly label: SVGTextElement | null
}

export class CanalView {
  readonly #root: HTMLElement
  #svg: SVGSVGElement | undefined
  #shape = ''
  #parts = new Map<string, Drawn>()
  #channels: DrawnChannel[] = []
  #last: Canal | undefined

  constructor(root: HTMLElement) {
    this.#root = root
    new ResizeObserver(() => this.#last && this.show(this.#last)).observe(root)
  }

  show(canal: Canal): void {
    this.#last = canal
    const width = Math.floor(this.#root.clientWidth)
    if (width < 40) return
    const stations = canal.runs
      .map((run) => run.map(({ name, slots }) => `${name}:${slots === null}`).join('|'))
      .join('/')
    const form = `${width} ${canal.hasDeadLetter} ${stations}`
    if (form !== this.#shape) {
      this.#shape = form
      this.#build(layOut(canal, width))
    }
    this.#update(canal)
  }

  #build(layout: Layout): void {
    this.#parts = new Map(layout.places.map((place) => [place.id, drawPlace(place, layout.vertical)]))
    this.#channels = layout.channels.map(drawChannel)
    const size = { width: layout.width, height: layout.height, viewBox: `0 0 ${layout.width} ${layout.height}` }
    this.#svg = shape(
      'svg',
      { ...size, role: 'img', class: 'canal-drawing' },
      shape(
        'g',
        {},
        ...this.#channels.flatMap(({ bed, stream, ripple, label }) => [bed, stream, ripple, ...(label ? [label] : [])]),
      ),
      ...[...this.#parts.values()].map(({ group }) => group),
    )
    this.#root.replaceChildren(this.#svg)
  }

  #update(canal: Canal): void {
    if (this.#svg) set(this.#svg, { 'aria-label': inWords(canal, { rate, percent }) })
    this.#reservoir(canal)
    this.#gate(canal)
    for (const [row, run] of canal.runs.entries())
      for (const [index, station] of run.entries()) this.#station(stationId(row, index), station)
    this.#ends(canal)
    this.#flow(canal)
  }

  #reservoir({ reservoir }: Canal): void {
    const { records, ageMs, name, arrivalsPerSecond, slope, seconds, bottleneck } = reservoir
    const empty = records === 0
    const level = empty || ageMs < 1000 ? 0.03 : Math.min(1, Math.max(0.08, Math.log10(ageMs / 1000) / HOUR))
    const trend = slope === null || Math.abs(slope) < 0.5 ? '' : slope > 0 ? ' ▲' : ' ▼'
    const work = seconds === null || empty ? '' : `${duration(seconds * 1000)} of work`
    this.#write(RESERVOIR, {
      name,
      figure: empty ? 'empty' : records === null && ageMs < 1000 ? '–' : duration(ageMs),
      captions: [
        records === null ? 'backlog unknown' : `${count(records)} waiting${trend}`,
        work,
        arrivalsPerSecond === null ? '' : `${rate(arrivalsPerSecond)} arrive`,
      ].filter(Boolean),
      level,
      mark: bottleneck ? 'bottleneck' : null,
    })
  }

  #gate({ gate }: Canal): void {
    const part = this.#parts.get(GATE)
    if (!part) return
    this.#write(GATE, {
      name: 'gate',
      figure: '',
      captions: [
        gate.opening === 0 ? 'shut' : `open ${percent(gate.opening)}`,
        `${count(gate.records)} of ${count(gate.limitRecords)}`,
        gate.opening > 0 && gate.opening < 1 ? `by ${gate.reason}` : '',
      ],
      level: Math.min(1, gate.share),
      mark: gate.bottleneck ? 'bottleneck' : null,
    })
    // The plate hangs from the top: the wider the opening, the shorter it is.
    const { y, height } = part.place
    set(part.plate, { y: y - 8, height: Math.max(8, (height + 8) * (1 - Math.min(1, Math.max(0.06, gate.opening)))) })
  }

  #station(id: string, station: Station): void {
    const part = this.#parts.get(id)
    const bare = station.slots === null
    const latency = station.latencyMs === null ? '' : `one try ${duration(station.latencyMs)}`
    const queued = station.queued > 0 ? `${count(station.queued)} before it` : ''
    this.#write(id, {
      name: station.name,
      figure: bare ? station.kind : `${count(station.inFlight)}/${count(station.slots)}`,
      captions: bare ? [queued] : [station.closed ?? '', stateWords(station.shares), latency, queued].filter(Boolean),
      closed: station.closed !== null,
      level: bare ? (station.outPerSecond > 0 ? 1 : 0) : station.occupancy,
      mark: station.mark,
    })
    part?.bar.update(station.shares)
  }

  #ends(canal: Canal): void {
    for (const [id, { place }] of this.#parts) {
      if (id !== SEA && !id.startsWith(`${SEA}-`)) continue
      const run = id === SEA ? canal.runs[0] : canal.runs[Number(id.slice(SEA.length + 1))]
      const done = id === SEA && canal.runs.length === 1 ? canal.donePerSecond : (run?.at(-1)?.inPerSecond ?? 0)
      this.#write(place.id, {
        name: 'completed',
        figure: rate(done),
        captions: [],
        level: done > 0 ? 0.8 : 0.1,
        mark: null,
      })
    }
    if (!canal.hasDeadLetter) return
    const dead = canal.deadLettered
    this.#write(DEAD, {
      name: '',
      figure: count(dead),
      captions: ['dead-lettered'],
      level: dead > 0 ? 1 : 0,
      mark: null,
    })
  }

  #flow(canal: Canal): void {
    const stations = new Map(
      canal.runs.flatMap((run, row) => run.map((station, index) => [stationId(row, index), station] as const)),
    )
    // What enters the next part: a batch leaves as one, and its records enter.
    const flowOf = ({ from, to }: Channel): number => {
      if (to === DEAD) return canal.deadLettered > 0 ? 1 : 0
      if (to === GATE || from === GATE) return canal.gate.pulledPerSecond
      if (to === SEA) return canal.donePerSecond
      return (stations.get(to) ?? stations.get(from))?.inPerSecond ?? 0
    }
    const top = Math.max(1, ...this.#channels.map(({ channel }) => flowOf(channel)))
    for (const { channel, bed, stream, ripple, label } of this.#channels) {
      const isDead = channel.to === DEAD
      const flow = flowOf(channel)
      const wide = flow <= 0 ? 2 : isDead ? 3 : LEAST_CHANNEL + (MOST_CHANNEL - LEAST_CHANNEL) * Math.sqrt(flow / top)
      set(bed, { 'stroke-width': (wide + 6).toFixed(1), class: isDead ? 'bed dead' : 'bed' })
      set(stream, {
        'stroke-width': wide.toFixed(1),
        class: flow > 0 ? (isDead ? 'stream dead' : 'stream') : 'stream dry',
      })
      set(ripple, {
        'stroke-width': Math.max(1.5, wide / 6).toFixed(1),
        class: flow > 0 && !isDead ? 'ripple' : 'ripple dry',
      })
      if (label) write(label, flow > 0 ? rate(flow) : '')
    }
  }

  #write(
    id: string,
    shown: {
      name: string
      figure: string
      captions: readonly string[]
      level: number
      mark: Station['mark']
      closed?: boolean
    },
  ): void {
    const part = this.#parts.get(id)
    if (!part) return
    const { place, group, water, surface, name, figure, captions, flag } = part
    put(name, shown.name, place.name.width, NAME_LETTER)
    put(figure, shown.figure, place.width - 6, FIGURE_LETTER)
    for (const [line, caption] of captions.entries())
      put(caption, shown.captions[line] ?? '', place.captions.width, CAPTION_LETTER)
    const height = Math.max(0, Math.min(1, shown.level)) * place.height
    const top = (place.y + place.height - height).toFixed(1)
    set(surface, { y: top, height: height > 0 ? 2 : 0 })
    set(water, { y: top, height: height.toFixed(1) })
    set(group, { class: `part ${kindOf(id)}${shown.mark ? ` ${shown.mark}` : ''}${shown.closed ? ' closed' : ''}` })
    write(flag, shown.mark ? (shown.mark === 'bottleneck' ? '▼ bottleneck' : MARK_LABELS[shown.mark]) : '')
  }
}

function kindOf(id: string): string {
  return id.startsWith('stage-') ? 'stage' : (id.split('-')[0] as string)
}

/** Cut to its place, the whole of it as a title. */
function put(node: SVGTextElement, text: string, width: number, letter: number): void {
  const most = Math.max(3, Math.floor(width / letter))
  const cut = text.length > most ? `${text.slice(0, most - 1).trimEnd()}…` : text
  if (node.dataset['full'] === text && node.firstChild?.nodeValue === cut) return
  node.dataset['full'] = text
  node.textContent = cut
  if (cut !== text) node.append(shape('title', {}, text))
}

function drawPlace(place: Place, vertical: boolean): Drawn {
  const { id, x, y, width, height } = place
  const box = { x, y, width, height, rx: height < 60 ? 10 : 12 }
  const clip = `clip-${id}`
  const water = shape('rect', { x, y: y + height, width, height: 0, class: 'water', 'clip-path': `url(#${clip})` })
  const surface = shape('rect', { x, y, width, height: 0, class: 'surface', 'clip-path': `url(#${clip})` })
  const basin = shape('rect', { ...box, class: 'basin' })
  const name = shape('text', { x: place.name.x, y: place.name.y, class: 'name', 'text-anchor': place.anchor })
  const figure = shape('text', { x: x + width / 2, y: y + height / 2 + 6, class: 'figure', 'text-anchor': 'middle' })
  const captions = [0, 1, 2].map((line) =>
    shape('text', {
      x: place.captions.x,
      y: place.captions.y + line * 17,
      class: 'caption',
      'text-anchor': place.anchor,
    }),
  )
  // Beside the name where words stand at the side, above it where they stand in the middle.
  const flagAt = vertical
    ? { x: place.name.x + place.name.width, y: place.name.y, 'text-anchor': 'end' }
    : { x: place.name.x, y: place.name.y - 19, 'text-anchor': 'middle' }
  const flag = shape('text', { ...flagAt, class: 'flag' })
  const bar = stateBar('state-bar')
  set(bar.node, { x: place.bar.x, y: place.bar.y, width: place.bar.width, height: place.bar.height })
  const plate = shape('rect', { x: x + width / 2 - 13, y: y - 8, width: 26, height: 8, rx: 3, class: 'plate' })
  const isGate = id === GATE
  const group = shape(
    'g',
    {},
    shape('clipPath', { id: clip }, shape('rect', box)),
    shape('rect', { ...box, class: 'ground' }),
    water,
    surface,
    basin,
    ...(isGate ? gatePosts(place) : []),
    ...(isGate ? [plate] : []),
    figure,
    name,
    ...captions,
    ...(id.startsWith('stage-') && height > 60 ? [bar.node] : []),
    flag,
  )
  return { place, group, water, surface, name, figure, captions, bar, flag, plate }
}

function gatePosts({ x, y, width, height }: Place): SVGElement[] {
  const middle = x + width / 2
  return [middle - 19, middle + 13].map((left) =>
    shape('rect', { x: left, y: y - 14, width: 6, height: height + 14, rx: 2, class: 'post' }),
  )
}

function drawChannel(channel: Channel): DrawnChannel {
  const d = `M${channel.points.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join('L')}`
  const label = channel.label
  return {
    channel,
    bed: shape('path', { d, class: 'bed', 'stroke-linejoin': 'round' }),
    stream: shape('path', { d, class: 'stream', 'stroke-linejoin': 'round' }),
    ripple: shape('path', { d, class: 'ripple' }),
    label: label ? shape('text', { x: label.x, y: label.y, class: 'flow', 'text-anchor': label.anchor }) : null,
  }
}
