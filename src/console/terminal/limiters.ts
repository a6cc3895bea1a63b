/**
 * One line for each limiter that finds its limit by itself: what it allows, what it rests on, and why it is closed.
 * `fraud    37 at once (holding) · a call takes 52 ms, 48 ms alone · quota 330/s · closed 2 s: Retry-After`
 */
import type { LimiterStatus, Status } from '../../model/status.ts'
import { closedWords, PHASE_LABELS } from '../labels.ts'
import { count, duration, rate } from './figures.ts'
import { cutLine, type Line, left, type Span, span } from './spans.ts'

const MOST_LINES = 4

export function limiterLines(status: Status, width: number): readonly Line[] {
  const shown = status.stages.flatMap((stage) =>
    stage.limiters
      .filter((limiter) => limiter.phase !== 'fixed')
      .map((limiter) => line(limiter.key === null ? stage.name : `${stage.name} ${limiter.key}`, limiter, status)),
  )
  return shown.slice(0, MOST_LINES).map((each) => cutLine(each, width))
}

function line(name: string, limiter: LimiterStatus, { nowMs }: Status): Line {
  const { limit, phase, baselineMs, latencyMs, ratePerSecond, breaker } = limiter
  const parts: Span[] = [
    span(left('limit', 9), 'dim'),
    span(`${name} ${count(limit)} at once`),
    span(` (${PHASE_LABELS[phase] ?? phase})`, 'dim'),
  ]
  if (latencyMs !== null) parts.push(span(' · ', 'dim'), span(`a call takes ${duration(latencyMs)}`))
  if (baselineMs !== null) parts.push(span(`, ${duration(baselineMs)} alone`, 'dim'))
  if (ratePerSecond !== null) parts.push(span(' · ', 'dim'), span(`quota ${rate(ratePerSecond)}`))
  const closed = closedWords(limiter, nowMs, duration)
  if (closed !== null) parts.push(span(' · ', 'dim'), span(closed, breaker === 'closed' ? 'warn' : 'bad'))
  return parts
}
