/**
 * A short CPU profile of this process, on demand: which stage's function was on the stack, and what ran that belongs to
 * none. It costs about a tenth of the throughput while it runs. Stages are told by the place of their functions, which
 * the profiler and the debugger name alike, or of what runs one (`loops`): V8 inlines a function that is hot, and the
 * profiler knows nothing of that where it happened before.
 */
import { Session } from 'node:inspector'
import { LOOPS } from '../engine/sync-loops.ts'
import type { Profile, ProfileFrame } from '../model/diagnosis.ts'
import type { FlowPlan, Plan } from '../model/plan.ts'

type NamedFunction = readonly [stage: string, fn: unknown]

const MOST_FRAMES = 20
/** Between two samples. */
const INTERVAL_US = 1000
const LOOP_NAMES = new Set(Object.values(LOOPS).map(({ name }) => name))

interface Node {
  readonly id: number
  readonly callFrame: {
    readonly functionName: string
    readonly scriptId: string
    readonly url: string
    readonly lineNumber: number
    readonly columnNumber: number
  }
  readonly children?: readonly number[]
}

interface CpuProfile {
  readonly nodes: readonly Node[]
  readonly samples?: readonly number[]
}

/** Resolves after `durationMs`; rejects when a debugger does not let it. */
export async function profile(plan: Plan, loops: readonly NamedFunction[], durationMs: number): Promise<Profile> {
  const session = new Session()
  session.connect()
  const post = (method: string, params: object = {}): Promise<unknown> =>
    new Promise((resolve, reject) =>
      session.post(method, params, (error: Error | null, result?: object) => (error ? reject(error) : resolve(result))),
    )
  try {
    await post('Profiler.enable')
    await post('Profiler.setSamplingInterval', { interval: INTERVAL_US })
    const places = await placesOf([...functionsOf(plan.flow), ...loops], post)
    await post('Profiler.start')
    await new Promise((resolve) => setTimeout(resolve, durationMs))
    const { profile: taken } = (await post('Profiler.stop')) as { profile: CpuProfile }
    return sumUp(taken, places, durationMs)
  } finally {
    session.disconnect()
  }
}

/** `scriptId:line:column` of each function, and its stage's name. */
async function placesOf(
  functions: Iterable<NamedFunction>,
  post: (method: string, params?: object) => Promise<unknown>,
): Promise<Map<string, string>> {
  const places = new Map<string, string>()
  const holder = globalThis as Record<symbol, unknown>
  const key = Symbol.for('headgate.profiled')
  for (const [name, fn] of functions) {
    // The debugger is asked where the function stands; it takes it by a global, for as long as it looks.
    holder[key] = fn
    const { result } = (await post('Runtime.evaluate', {
      expression: "globalThis[Symbol.for('headgate.profiled')]",
    })) as {
      result: { objectId?: string }
    }
    const { internalProperties = [] } = (await post('Runtime.getProperties', {
      objectId: result.objectId,
      ownProperties: true,
    })) as {
      internalProperties?: {
        name: string
        value?: { value?: { scriptId: string; lineNumber: number; columnNumber: number } }
      }[]
    }
    const at = internalProperties.find((property) => property.name === '[[FunctionLocation]]')?.value?.value
    if (at !== undefined) places.set(`${at.scriptId}:${at.lineNumber}:${at.columnNumber}`, name)
  }
  delete holder[key]
  return places
}

function* functionsOf({ stages, end }: FlowPlan): Generator<NamedFunction> {
  for (const stage of stages) if (stage.kind !== 'batch') yield [stage.name, stage.fn]
  if (end.kind === 'sink') return
  yield [end.name, end.select]
  for (const branch of end.branches.values()) yield* functionsOf(branch)
}

function sumUp({ nodes, samples = [] }: CpuProfile, places: ReadonlyMap<string, string>, durationMs: number): Profile {
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const parents = new Map<number, number>()
  for (const { id, children = [] } of nodes) for (const child of children) parents.set(child, id)
  const stages: Record<string, number> = {}
  const frames = new Map<string, { frame: Omit<ProfileFrame, 'share'>; samples: number }>()
  let foreign = 0
  for (const id of samples) {
    const { callFrame } = byId.get(id) as Node
    if (callFrame.functionName === '(idle)' || callFrame.functionName === '(program)') continue
    const stage = stageOf(id, byId, parents, places)
    if (stage !== null) stages[stage] = (stages[stage] ?? 0) + 1
    else if (!isOwn(callFrame)) foreign += 1
    const where = whereOf(callFrame)
    const key = `${callFrame.functionName} ${where} ${stage}`
    const seen = frames.get(key) ?? {
      frame: { function: callFrame.functionName || '(anonymous)', where, stage },
      samples: 0,
    }
    seen.samples += 1
    frames.set(key, seen)
  }
  const share = (count: number): number => (samples.length > 0 ? count / samples.length : 0)
  return {
    durationMs,
    stages: Object.fromEntries(Object.entries(stages).map(([name, count]) => [name, share(count)])),
    foreignShare: share(foreign),
    frames: [...frames.values()]
      .sort((one, other) => other.samples - one.samples)
      .slice(0, MOST_FRAMES)
      .map(({ frame, samples: count }) => ({ ...frame, share: share(count) })),
  }
}

/** The nearest function of a stage at or above a frame, unless it is called by a stage of another pipeline. */
function stageOf(
  id: number,
  byId: ReadonlyMap<number, Node>,
  parents: ReadonlyMap<number, number>,
  places: ReadonlyMap<string, string>,
): string | null {
  for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) {
    const { scriptId, lineNumber, columnNumber, url, functionName } = (byId.get(at) as Node).callFrame
    const stage = places.get(`${scriptId}:${lineNumber}:${columnNumber}`)
    if (stage !== undefined) return stage
    if (url === '' && LOOP_NAMES.has(functionName)) return null
  }
  return null
}

const OWN = new URL('..', import.meta.url).href

/** Of Headgate itself, or of V8. */
function isOwn({ url, functionName }: Node['callFrame']): boolean {
  return url.startsWith(OWN) || functionName === '(garbage collector)' || functionName === '(root)'
}

function whereOf({ url, lineNumber }: Node['callFrame']): string {
  if (url === '') return ''
  const parts = url.split('/')
  const from = parts.lastIndexOf('node_modules')
  return `${parts.slice(from >= 0 ? from + 1 : -1).join('/')}:${lineNumber + 1}`
}
