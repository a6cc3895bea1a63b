/**
 * What a diagnosis says, as lines: the sentences, the knobs that help, cost nothing or hurt, and the figures that the
 * verdict rests on. The live view shows the first two, `headgate doctor` all three. Every knob is one line that reads
 * without colour: `TURN  slots of 'fraud' 32 → 64   +48% → 371/s  latency 12ms  then 'enriched': slow sink`.
 */

import type { Advice, Diagnosis, Evidence, Health, Knob } from '../../model/diagnosis.ts'
import { ADVICE_LABELS, CAUSE_LABELS, gain, HEALTH_LABELS, healthDetail, type Mood, nextBottleneck } from '../labels.ts'
import { change, duration, inUnit, percent, rate } from './figures.ts'
import { cutLine, type Line, left, lineCells, span, type Tone, wrap } from './spans.ts'

const MOOD_TONES: Readonly<Record<Mood, Tone>> = { calm: 'good', busy: 'warn', alarm: 'bad', over: 'dim' }
const ADVICE_TONES: Readonly<Record<Advice, Tone>> = { turn: 'good', safe: 'cool', hurts: 'bad' }
const ADVICE_CELLS = 7

/** Below this the second candidate may as well be the cause. */
const UNSURE = 0.5

/** A sentence over as many lines as it needs, behind its mark. */
export function say(text: string, mark: string, tone: Tone, textTone: Tone, width: number): readonly Line[] {
  return wrap(text, width - 2)
    .map((part, index) => [span(index === 0 ? `${mark} ` : '  ', tone), span(part, textTone)])
    .filter((line) => lineCells(line) > 0)
}

/** `THROTTLING · falling behind`. */
export function healthWords(health: Health): Line {
  const [label, mood] = HEALTH_LABELS[health.kind]
  const detail = healthDetail(health, duration)
  return [span(label.toUpperCase(), MOOD_TONES[mood]), ...(detail ? [span(` · ${detail}`, MOOD_TONES[mood])] : [])]
}

/** Health and cause in sentences, and the other candidate where the verdict is not sure. */
export function verdictLines({ health, verdict }: Diagnosis, width: number): readonly Line[] {
  const tone = MOOD_TONES[HEALTH_LABELS[health.kind][1]]
  const lines = [...say(health.sentence, '▶', tone, 'strong', width)]
  const isSaid = verdict.sentence === '' || health.sentence.includes(verdict.sentence)
  if (!isSaid) lines.push(...say(verdict.sentence, lines.length > 0 ? ' ' : '▶', tone, 'plain', width))
  if (verdict.kind !== 'none' && verdict.confidence < UNSURE && verdict.second)
    lines.push(...say(`Two candidates; the other one: ${verdict.second.sentence}`, '?', 'warn', 'plain', width))
  return lines
}

/** At most `most` knobs of each advice, the first of each first: a short list still says what would hurt. */
export function knobLines(knobs: readonly Knob[], width: number, most: number): readonly Line[] {
  const seen = new Map<Advice, number>()
  const shown = knobs.filter(({ advice }) => {
    const before = seen.get(advice) ?? 0
    seen.set(advice, before + 1)
    return before < most
  })
  const names = shown.map((knob) => `${knob.knob} ${change(knob.from, knob.to)}`.trimEnd())
  const column = Math.min(Math.max(0, ...names.map((name) => name.length)), Math.max(16, width - 48))
  return shown.map((knob, index) => cutLine(knobLine(knob, names[index] as string, column), width))
}

function knobLine(knob: Knob, name: string, column: number): Line {
  const { completionPerSecond, latencyMs } = knob.predicted
  return [
    span(left(ADVICE_LABELS[knob.advice].toUpperCase(), ADVICE_CELLS), ADVICE_TONES[knob.advice]),
    span(left(name, column)),
    span(`  ${gain(knob.gainRatio).padStart(5)}`, ADVICE_TONES[knob.advice]),
    span(` → ${rate(completionPerSecond).padStart(8)}`),
    span(latencyMs === null ? '' : `  latency ${duration(latencyMs)}`, 'dim'),
    span(knob.advice === 'turn' ? `  ${nextBottleneck(knob)}` : '', 'dim'),
  ]
}

/** Cause, confidence, and each figure with what it says. */
export function evidenceLines({ verdict }: Diagnosis, width: number): readonly Line[] {
  if (verdict.kind === 'none' && verdict.evidence.length === 0) return []
  const where = verdict.bottleneck === null ? '' : `'${verdict.bottleneck}': `
  const heading: Line = [
    span(left('evidence', 10), 'strong'),
    span(`${where}${CAUSE_LABELS[verdict.kind]}`),
    span(`, ${percent(verdict.confidence)} sure`, 'dim'),
  ]
  return [cutLine(heading, width), ...figures(verdict.evidence, width)]
}

function figures(evidence: readonly Evidence[], width: number): readonly Line[] {
  const names = Math.min(34, Math.max(0, ...evidence.map(({ name }) => name.length)))
  return evidence.flatMap(({ name, value, unit, meaning }) => {
    const start: Line = [span(`  ${left(name, names)} `), span(inUnit(value, unit).padStart(9), 'strong'), span('  ')]
    const room = width - lineCells(start)
    if (room < 24)
      return [cutLine(start, width), ...wrap(meaning, width - 4).map((part) => [span(`    ${part}`, 'dim')])]
    const [first = '', ...rest] = wrap(meaning, room)
    const indent = ' '.repeat(lineCells(start))
    return [[...start, span(first, 'dim')], ...rest.map((part) => [span(indent + part, 'dim')])]
  })
}
