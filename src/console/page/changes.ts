/**
 * What can be changed from the page, each as a question: pause, resume, drain, the gate, a stage's limits, a knob. The
 * name of what is changed goes along as the confirmation that the server asks for.
 */
import type { Knob } from '../../model/diagnosis.ts'
import type { AuditEntry, ConsoleTick, ControlRequest } from '../documents.ts'
import { gain } from '../labels.ts'
import { change as fromTo, rate } from '../terminal/figures.ts'
import { control } from './connection.ts'
import { ask, type Field } from './dialog.ts'
import { byId, write } from './dom.ts'

export interface Changes {
  tick(tick: ConsoleTick): void
  stage(name: string): void
  knob(knob: Knob): void
  /** While there is no line, nothing can be changed. */
  enable(on: boolean): void
}

export function makeChanges(done: (entry: AuditEntry) => void): Changes {
  let tick: ConsoleTick | undefined
  let on = false
  const pause = byId<HTMLButtonElement>('pause')
  const drain = byId<HTMLButtonElement>('drain')
  const gate = byId<HTMLButtonElement>('admission')
  const send = async (request: ControlRequest): Promise<void> => done((await control(request)).done)
  const refresh = (): void => {
    const state = tick?.status.state
    write(pause, state === 'paused' ? 'Resume…' : 'Pause…')
    pause.disabled = drain.disabled = gate.disabled = !on || (state !== 'running' && state !== 'paused')
  }

  pause.addEventListener('click', () => {
    if (!tick) return
    const { pipeline, state } = tick.status
    const resumes = state === 'paused'
    ask({
      title: resumes ? `Resume ${pipeline}?` : `Pause ${pipeline}?`,
      text: resumes
        ? 'It pulls again at once, as fast as its stages and limits let it.'
        : 'Nothing more is pulled until it is resumed; what is in flight is finished. The backlog grows in the broker.',
      confirm: resumes ? 'Resume' : 'Pause',
      tone: 'strong',
      fields: [],
      apply: () => send({ action: resumes ? 'resume' : 'pause', confirm: pipeline }),
    })
  })
  drain.addEventListener('click', () => {
    if (!tick) return
    const { pipeline, records } = tick.status
    ask({
      title: `Drain ${pipeline} and end it?`,
      text: `Nothing more is pulled, what was started is finished, the rest of the ${records.inFlight} records in flight goes back uncommitted, and the pipeline ends. It cannot be resumed from here.`,
      confirm: 'Drain and end',
      tone: 'danger',
      fields: [],
      apply: () => send({ action: 'drain', confirm: pipeline }),
    })
  })
  gate.addEventListener('click', () => {
    if (!tick) return
    const { pipeline } = tick.status
    const { admission } = tick.limits
    ask({
      title: 'Change the gate',
      text: 'The gate lets in only as much as all three allow. It holds from now on, until the pipeline ends.',
      confirm: 'Change',
      tone: 'strong',
      fields: [
        { name: 'records', label: 'Records in flight', unit: 'at most', value: admission.records, least: 1, step: 1 },
        { name: 'bytes', label: 'Bytes in flight', unit: 'at most', value: admission.bytes, least: 1024, step: 1 },
        {
          name: 'residenceMs',
          label: 'Time in the pipeline',
          unit: 'ms, aimed at',
          value: admission.residenceMs,
          least: 1,
          step: 1,
        },
      ],
      apply: (changed) => send({ action: 'admission', ...changed, confirm: pipeline }),
    })
  })

  const askStage = (name: string, title: string, text: string, proposed: Readonly<Record<string, number>>): void => {
    const present = tick?.limits.stages[name]
    if (!present) return
    ask({
      title,
      text,
      confirm: 'Change',
      tone: 'strong',
      fields: stageFields(present).map((field) => ({ ...field })),
      apply: (changed) => send({ action: 'stage', stage: name, ...changed, confirm: name }),
    })
    for (const [field, value] of Object.entries(proposed))
      byId<HTMLInputElement>(`field-${field}`).valueAsNumber = value
  }

  return {
    tick(next) {
      tick = next
      refresh()
    },
    enable(enabled) {
      on = enabled
      refresh()
    },
    stage: (name) =>
      askStage(
        name,
        `Change the limits of ${name}`,
        'They hold from now on, until the pipeline ends. An adaptive stage finds its own number of calls up to the most given here.',
        {},
      ),
    knob(knob) {
      if (knob.stage === null || knob.to === null || !tick) return
      const { completionPerSecond } = knob.predicted
      const text = `Predicted: ${gain(knob.gainRatio)}, ${rate(completionPerSecond)} completed. ${knob.sentence}`
      const field = knob.setting === 'rate' ? 'perSecond' : 'concurrency'
      const value = field === 'concurrency' ? Math.round(knob.to) : knob.to
      askStage(knob.stage, `Turn ${knob.knob} ${fromTo(knob.from, knob.to)}?`, text, { [field]: value })
    },
  }
}

function stageFields({ concurrency, perSecond, timeoutMs }: ConsoleTick['limits']['stages'][string]): Field[] {
  return [
    { name: 'concurrency', label: 'Calls at once', unit: 'at most', value: concurrency, least: 1, step: 1 },
    { name: 'perSecond', label: 'Rate', unit: 'calls a second', value: perSecond, least: 0.0001, step: 'any' },
    { name: 'timeoutMs', label: 'Time-out', unit: 'ms for one call', value: timeoutMs, least: 1, step: 1 },
  ]
}
