/**
 * Changes through the console: limits, pause, resume, drain. Each asks first: `confirm` must repeat what is to be changed.
 * Each is written to the log as an audit line, and the last of them are kept for the page. The router calls `change` after the gate
 * has let the request pass; the pipeline itself refuses figures out of range.
 */
import { z } from 'zod'
import type { Logger } from '../../model/logger.ts'
import type { Running } from '../../runtime/start.ts'
import type { AuditEntry, ControlRequest } from '../documents.ts'
import { Refusal } from './refusal.ts'

const MOST_KEPT = 100

const confirm = z.string().max(1_000)
const request = z.discriminatedUnion('action', [
  z.strictObject({
    action: z.literal('stage'),
    stage: z.string().max(1_000),
    concurrency: z.number().optional(),
    perSecond: z.number().optional(),
    timeoutMs: z.number().optional(),
    confirm,
  }),
  z.strictObject({
    action: z.literal('admission'),
    records: z.number().optional(),
    bytes: z.number().optional(),
    residenceMs: z.number().optional(),
    confirm,
  }),
  z.strictObject({ action: z.enum(['pause', 'resume', 'drain']), confirm }),
])

export type Controlled = Pick<Running, 'status' | 'limits' | 'setLimits' | 'pause' | 'resume' | 'drain'>

/** Who asked: `page` or `script`, and from where. */
export interface Asker {
  readonly by: string
  readonly nowMs: number
}

export class Control {
  readonly #running: Controlled
  readonly #log: Logger
  readonly #audit: AuditEntry[] = []

  constructor(running: Controlled, log: Logger) {
    this.#running = running
    this.#log = log
  }

  /** The last change first. */
  get audit(): readonly AuditEntry[] {
    return this.#audit
  }

  /** Does what is asked for, or throws why not; nothing has changed then. */
  change(body: unknown, { by, nowMs }: Asker): AuditEntry {
    const asked = parsed(body)
    const { pipeline, state } = this.#running.status()
    const thing = asked.action === 'stage' ? asked.stage : pipeline
    if (asked.confirm !== thing) {
      const what = asked.action === 'stage' ? 'the name of the stage' : 'the name of the pipeline'
      throw new Refusal(400, 'bad-request', `nothing was changed: \`confirm\` must repeat ${what}, '${thing}'`)
    }
    if (state !== 'running' && state !== 'paused') {
      throw new Refusal(409, 'conflict', `nothing was changed: the pipeline is ${state}`)
    }
    const figures = { ...this.#figures(asked), by, atMs: nowMs }
    this.#apply(asked)
    const { action, stage, change, before } = figures
    this.#audit.unshift(figures)
    if (this.#audit.length > MOST_KEPT) this.#audit.pop()
    this.#log.warn(
      { audit: true, pipeline, action, ...(stage === null ? {} : { stage }), change, before, by },
      `console: ${action}${stage === null ? '' : ` '${stage}'`}${change === '' ? '' : `: ${change} (was ${before})`}, asked for by ${by}`,
    )
    return figures
  }

  #apply(asked: ControlRequest): void {
    const running = this.#running
    if (asked.action === 'stage') {
      const { stage, action: _, confirm: __, ...limits } = asked
      running.setLimits({ stages: { [stage]: given(limits) } })
    } else if (asked.action === 'admission') {
      const { action: _, confirm: __, ...limits } = asked
      running.setLimits({ admission: given(limits) })
    } else if (asked.action === 'drain') void running.drain()
    else running[asked.action]()
  }

  #figures(asked: ControlRequest): Pick<AuditEntry, 'action' | 'stage' | 'change' | 'before'> {
    const { action } = asked
    if (action === 'pause' || action === 'resume' || action === 'drain') {
      return { action, stage: null, change: '', before: this.#running.status().state }
    }
    const { action: _, confirm: __, ...named } = asked
    const { stage = null, ...limits } = named as Partial<typeof named> & { stage?: string }
    const change = given(limits)
    if (Object.keys(change).length === 0) {
      throw new Refusal(400, 'bad-request', 'nothing was changed: no limit is given')
    }
    const present = this.#running.limits()
    const before: Readonly<Record<string, unknown>> =
      stage === null ? { ...present.admission } : { ...present.stages[stage] }
    const shown = Object.keys(change).map((name) => [name, before[name] ?? 'none'] as const)
    return { action, stage, change: inWords(Object.entries(change)), before: inWords(shown) }
  }
}

function parsed(body: unknown): ControlRequest {
  const result = request.safeParse(body)
  if (result.success) return given(result.data) as ControlRequest
  const issue = result.error.issues[0]
  const where = issue?.path.join('.') ?? ''
  const what = `${where === '' ? '' : `\`${where}\`: `}${issue?.message ?? 'not understood'}`
  throw new Refusal(
    400,
    'bad-request',
    `nothing was changed: ${what}. A change is { "action": "stage", "stage": …, "concurrency": …, "confirm": … }, or the action "admission", "pause", "resume" or "drain"`,
  )
}

/** Without what was left out. */
function given<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, part]) => part !== undefined)) as never
}

function inWords(entries: readonly (readonly [string, unknown])[]): string {
  return entries.map(([name, value]) => `${name} ${String(value)}`).join(', ')
}
