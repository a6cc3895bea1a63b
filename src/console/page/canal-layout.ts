/**
 * Where the parts of the canal stand, in pixels: from left to right where there is room, from top to bottom where there
 * is not. Pure arithmetic over the widths, so that the drawing only has to follow it.
 */
import type { Canal } from './canal-model.ts'

export interface Box {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

/** One part: its basin, and where its words and its bar go. */
export interface Place extends Box {
  readonly id: string
  readonly name: { readonly x: number; readonly y: number; readonly width: number }
  readonly captions: { readonly x: number; readonly y: number; readonly width: number }
  readonly bar: Box
  readonly anchor: 'middle' | 'start'
}

/** Water from one part to the next; with a bend where a branch leaves or a part stands on another level. */
export interface Channel {
  readonly id: string
  readonly from: string
  readonly to: string
  readonly points: readonly (readonly [x: number, y: number])[]
  readonly label: { readonly x: number; readonly y: number; readonly anchor: 'middle' | 'start' } | null
}

export interface Layout {
  readonly width: number
  readonly height: number
  readonly vertical: boolean
  readonly places: readonly Place[]
  readonly channels: readonly Channel[]
}

export const RESERVOIR = 'reservoir'
export const GATE = 'gate'
export const SEA = 'sea'
export const DEAD = 'dead'

const WIDE = { reservoir: 124, gate: 76, slots: 128, passage: 92, sea: 96 }
/** How far the parts may shrink to stand beside one another. */
const SCALES = [1, 0.9, 0.8] as const
const LEAST_GAP = 46
const MOST_GAP = 150
const BASIN = 96
const TOP = 62
const ROW = 216
const EDGE = 4

interface Part {
  readonly id: string
  readonly width: number
  readonly height: number
}

export function stationId(run: number, index: number): string {
  return `stage-${run}-${index}`
}

function partsOf(canal: Canal, scale: number): Part[][] {
  const rows = canal.runs.map((run, row) =>
    run.map((station, index) => ({
      id: stationId(row, index),
      width: scale * (station.slots === null ? WIDE.passage : WIDE.slots),
      height: station.slots === null ? 44 : BASIN,
    })),
  )
  const head: Part[] = [
    { id: RESERVOIR, width: scale * WIDE.reservoir, height: BASIN + 16 },
    { id: GATE, width: scale * WIDE.gate, height: BASIN },
  ]
  const [trunk = [], ...branches] = rows
  const sea = (row: number): Part => ({ id: row === 0 ? SEA : `${SEA}-${row}`, width: scale * WIDE.sea, height: BASIN })
  if (branches.length === 0) return [[...head, ...trunk, sea(0)]]
  return [[...head, ...trunk], ...branches.map((branch, index) => [...branch, sea(index + 1)])]
}

export function layOut(canal: Canal, width: number): Layout {
  for (const scale of SCALES) {
    const layout = horizontal(canal, partsOf(canal, scale), width)
    if (layout) return layout
  }
  return vertical(canal, partsOf(canal, 1), width)
}

function horizontal(canal: Canal, rows: readonly (readonly Part[])[], width: number): Layout | null {
  const [trunk = [], ...branches] = rows
  const lines = branches.length === 0 ? [trunk] : branches.map((branch) => [...trunk, ...branch])
  const widthOf = (line: readonly Part[]): number => line.reduce((sum, part) => sum + part.width, 0)
  const room = width - 2 * EDGE
  const gap = Math.min(MOST_GAP, ...lines.map((line) => (room - widthOf(line)) / Math.max(1, line.length - 1)))
  if (gap < LEAST_GAP) return null

  const places: Place[] = []
  const channels: Channel[] = []
  const run = (parts: readonly Part[], startX: number, middle: number, before: Place | null): number => {
    let x = startX
    let last = before
    for (const part of parts) {
      const place = wide(part, x, middle, gap)
      places.push(place)
      if (last) channels.push(across(last, place))
      last = place
      x += part.width + gap
    }
    return x
  }
  const longest = Math.max(...lines.map((line) => widthOf(line) + gap * (line.length - 1)))
  const slack = Math.max(0, room - longest) / 2
  const middle = TOP + BASIN / 2
  const forkX = run(trunk, EDGE + slack, middle, null)
  const fork = places.at(-1) ?? null
  for (const [index, branch] of branches.entries()) run(branch, forkX, middle + index * ROW, fork)
  let height = TOP + BASIN + 82 + Math.max(0, branches.length - 1) * ROW
  if (canal.hasDeadLetter) {
    const last = places.at(-1) as Place
    const dead = wide({ id: DEAD, width: last.width, height: 40 }, last.x, last.y + BASIN + 52, gap)
    places.push(dead)
    const before = places.at(-3) as Place
    const [x, y] = [last.x - gap / 2, last.y + last.height / 2]
    const points = [
      [x, y],
      [x, dead.y + 20],
      [dead.x, dead.y + 20],
    ] as const
    channels.push({ id: `${before.id}-${DEAD}`, from: before.id, to: DEAD, points, label: null })
    height = Math.max(height, dead.y + 70)
  }
  return { width, height, vertical: false, places, channels }
}

/** `gap`: words may be as wide as the part and half of the gaps beside it. */
function wide(part: Part, x: number, middle: number, gap: number): Place {
  const y = middle - part.height / 2
  const centre = x + part.width / 2
  const bottom = y + part.height
  const room = part.width + gap - 10
  const hasBar = part.id.startsWith('stage-') && part.height === BASIN
  return {
    ...part,
    x,
    y,
    // The gate's posts stand out above it.
    name: { x: centre, y: y - (part.id === GATE ? 22 : 10), width: room },
    bar: { x, y: bottom + 12, width: part.width, height: 14 },
    captions: { x: centre, y: bottom + (hasBar ? 44 : 22), width: room },
    anchor: 'middle',
  }
}

function across(from: Place, to: Place): Channel {
  const y = from.y + from.height / 2
  const end = to.y + to.height / 2
  const [left, right] = [from.x + from.width, to.x]
  const bend = left + (right - left) / 3
  const points =
    Math.abs(end - y) < 1
      ? ([
          [left, y],
          [right, y],
        ] as const)
      : ([
          [left, y],
          [bend, y],
          [bend, end],
          [right, end],
        ] as const)
  const label = { x: (left + right) / 2, y: end - 22, anchor: 'middle' } as const
  return { id: `${from.id}-${to.id}`, from: from.id, to: to.id, points, label }
}

const COLUMN = 104
const STEP = 34

function vertical(canal: Canal, rows: readonly (readonly Part[])[], width: number): Layout {
  const places: Place[] = []
  const channels: Channel[] = []
  let y = EDGE
  let fork: Place | null = null
  rows.forEach((parts, row) => {
    let last = row === 0 ? null : fork
    for (const part of parts) {
      const place = narrow(part, y, width)
      places.push(place)
      if (last) channels.push(down(last, place))
      last = place
      y += place.height + STEP
    }
    if (row === 0) fork = last
  })
  if (canal.hasDeadLetter) {
    const place = narrow({ id: DEAD, width: COLUMN, height: 44 }, y, width)
    const before = places.at(-2) as Place
    places.push(place)
    // Along the right of the column, past whatever stands between.
    const [side, edge, start, end] = [EDGE + COLUMN + 10, EDGE + COLUMN, before.y + before.height - 14, place.y + 22]
    const points = [
      [edge, start],
      [side, start],
      [side, end],
      [edge, end],
    ] as const
    channels.push({ id: `${before.id}-${DEAD}`, from: before.id, to: DEAD, points, label: null })
    y += place.height + STEP
  }
  return { width, height: y - STEP + EDGE, vertical: true, places, channels }
}

function narrow(part: Part, y: number, width: number): Place {
  const height = part.height < 60 ? part.height : 84
  const x = EDGE + COLUMN + 22
  const room = Math.min(360, Math.max(80, width - x - EDGE))
  return {
    id: part.id,
    x: EDGE,
    y,
    width: COLUMN,
    height,
    name: { x, y: y + 15, width: room },
    bar: { x, y: y + 24, width: Math.min(260, room), height: 14 },
    captions: { x, y: y + (part.height === BASIN && part.id.startsWith('stage-') ? 55 : 34), width: room },
    anchor: 'start',
  }
}

function down(from: Place, to: Place): Channel {
  const x = from.x + from.width / 2
  const direct = Math.abs(to.y - (from.y + from.height) - STEP) < 1
  const side = EDGE + COLUMN + 10
  const points = direct
    ? ([
        [x, from.y + from.height],
        [x, to.y],
      ] as const)
    : ([
        [from.x + from.width, from.y + from.height / 2],
        [side, from.y + from.height / 2],
        [side, to.y - STEP / 2],
        [x, to.y - STEP / 2],
        [x, to.y],
      ] as const)
  const label = { x: x + 22, y: to.y - STEP / 2 + 4, anchor: 'start' } as const
  return { id: `${from.id}-${to.id}`, from: from.id, to: to.id, points, label }
}
