/**
 * The doctor: looks at statuses as they come and says what they mean. It keeps the last ones to compare with, and a
 * verdict changes only once another one has been seen for a while, so that it can be read. `running.diagnose()` asks the
 * one that watches a pipeline; `diagnose()` makes one for statuses from a file. It reads and never steers.
 */
import type { Candidate, Diagnosis, Profile } from '../model/diagnosis.ts'
import type { DurationSums, Status } from '../model/status.ts'
import { autoscaleOf, freshMemory, type GroupSize } from './autoscale.ts'
import { verdictConfidence } from './confidence.ts'
import { Eras } from './eras.ts'
import { type Facts, factsOf } from './facts.ts'
import type { Finding } from './finding.ts'
import { healthOf } from './health.ts'
import { knobsOf } from './knobs.ts'
import { mistakesOf } from './mistakes.ts'
import { OutageLog } from './outage.ts'
import { describe } from './report.ts'
import { findingsOf } from './rules.ts'
import { StillLog } from './still-log.ts'
import { TrendLog } from './trend.ts'
import { completed, keepApart, type Window, windowOf } from './window.ts'
import { sentenceOf } from './words.ts'

export interface DoctorOptions {
  /** The age that no record should exceed: `health.breachMs` counts down to it. */
  readonly promisedAgeMs?: number | undefined
  /** Processes of this pipeline, for the autoscaling signal; default what the sources say of their group, else 1. At most 10. */
  readonly replicas?: number | undefined
  readonly maxReplicas?: number | undefined
  /** Partitions of all processes together; default what the sources say, else unknown. */
  readonly partitions?: number | undefined
  /** What a new process takes to start and join; default 30 s. */
  readonly startupMs?: number | undefined
  /**
   * Whether it may halve the slots of a call stage for 1.5 s, once in ten minutes at most, where it cannot tell a slow
   * downstream from one that queues. It costs some throughput, so it is off unless asked for.
   */
  readonly probe?: boolean | undefined
}

const LEAST_WINDOW_MS = 2500
const ENOUGH_COMPLETIONS = 100
const LONGEST_WINDOW_MS = 10_000
/** A window has to reach about so far back before it says anything. */
const LEAST_SEEN_MS = 2000
/** Another verdict has to stand for so long before it is said. */
const CONFIRM_MS = 2000
/** How long slots are halved to see what comes of it, and how often that may be. */
export const PROBE_MS = 1500
const PROBE_EVERY_MS = 600_000
/** Attempts beside few others: with so many it is known what one takes. */
const ENOUGH_QUIET = 30

/** Slots to try for `PROBE_MS`, and those to go back to. */
export interface Probe {
  readonly stage: string
  readonly concurrency: number
  readonly after: number
}

const NOTHING: Finding = { bottleneck: null, kind: 'none', margin: 1, evidence: [] }

export class Doctor {
  readonly #told: Pick<DoctorOptions, 'replicas' | 'partitions'>
  readonly #group: Pick<GroupSize, 'maxReplicas' | 'startupMs'>
  readonly #promisedAgeMs: number | null
  readonly #trend = new TrendLog()
  readonly #outages = new OutageLog()
  readonly #still = new StillLog()
  readonly #eras = new Eras()
  readonly #learned = (stage: string, durations: DurationSums): DurationSums => this.#eras.of(stage, durations)
  readonly #statuses: Status[] = []
  /** Up to the last status. */
  #latest: Window | null = null
  /** Of the last status; null until it is asked for. */
  #known: Facts | null = null
  /** What the rules say of these facts; null until it is asked for. */
  #found: readonly Finding[] | null = null
  readonly #scale = freshMemory()
  readonly #mayProbe: boolean
  #probedAtMs = Number.NEGATIVE_INFINITY
  #lastCompletionMs: number | null = null
  #completed = 0
  /** What is said, since when; and what else was seen, since when. */
  #said: { finding: Finding; sinceMs: number } | null = null
  #seen: { key: string; sinceMs: number } | null = null

  constructor(options: DoctorOptions = {}) {
    const { promisedAgeMs, replicas, maxReplicas = 10, partitions, startupMs = 30_000, probe = false } = options
    this.#mayProbe = probe
    this.#promisedAgeMs = promisedAgeMs ?? null
    this.#told = { replicas, partitions }
    this.#group = { maxReplicas, startupMs }
  }

  /** Takes in a status; in the order of time, two a second or so. */
  observe(status: Status): void {
    const last = this.#statuses.at(-1)
    if (last !== undefined && status.nowMs <= last.nowMs) return
    const done = completed(status)
    if (done !== this.#completed || this.#lastCompletionMs === null || status.records.inFlight === 0) {
      this.#completed = done
      this.#lastCompletionMs = status.nowMs
    }
    this.#known = null
    this.#found = null
    this.#trend.observe(status)
    this.#outages.observe(status)
    this.#still.observe(status)
    keepApart(this.#statuses, ({ nowMs }) => nowMs)
    this.#statuses.push(status)
    while (this.#statuses.length > 2 && status.nowMs - (this.#statuses[1] as Status).nowMs >= LONGEST_WINDOW_MS)
      this.#statuses.shift()
    this.#latest = this.#window(status)
    this.#eras.observe(this.#latest)
    this.#decide()
  }

  /** What it asks to be tried now, if it may; each answer counts as tried. */
  probe(): Probe | null {
    const facts = this.#facts()
    if (!this.#mayProbe || facts === null || this.#said === null) return null
    const { finding } = this.#said
    const { nowMs } = facts.status
    if (finding.kind !== 'downstream-latency' && finding.kind !== 'downstream-saturated') return null
    if (nowMs - this.#probedAtMs < PROBE_EVERY_MS) return null
    const stage = facts.stages.find(({ name }) => name === finding.bottleneck)
    const slots = stage?.window.status.limit ?? 1
    const fixed = stage?.window.status.limiters.every(({ key, phase }) => key === null && phase === 'fixed') ?? false
    if (stage === undefined || !fixed || slots < 2 || stage.quietCount >= ENOUGH_QUIET) return null
    this.#probedAtMs = nowMs
    return { stage: stage.name, concurrency: Math.floor(slots / 2), after: slots }
  }

  /** What the statuses so far mean; null before the first. */
  diagnosis(profile: Profile | null = null): Diagnosis | null {
    const facts = this.#facts()
    if (facts === null) return null
    const { window } = facts
    const findings = this.#findings(facts)
    const finding = this.#present(findings)
    const { health, verdict } = this.#say(facts, findings)
    return {
      ...describe(facts, finding),
      health,
      verdict,
      knobs: knobsOf(this.#steady(facts), finding),
      mistakes: mistakesOf(facts, finding),
      autoscale: autoscaleOf({
        facts,
        finding,
        confidence: verdict.confidence,
        group: groupOf(facts.status, this.#told, this.#group),
        rebalancing: isRebalancing(window),
        starting: this.#isStarting(window),
        memory: this.#scale,
      }),
      profile,
    }
  }

  /** What is said, with the present figures where the cause is seen at present. */
  #present(findings: readonly Finding[]): Finding {
    const said = this.#said?.finding ?? NOTHING
    return findings.find((found) => keyOf(found) === keyOf(said)) ?? said
  }

  #say(facts: Facts, findings: readonly Finding[]): Pick<Diagnosis, 'health' | 'verdict'> {
    const finding = this.#present(findings)
    const other = findings.find((found) => keyOf(found) !== keyOf(finding)) ?? null
    const { status, window } = facts
    const sinceMs = this.#said?.sinceMs ?? status.startedAtMs
    const health = healthOf({
      facts,
      kind: finding.kind,
      of: finding.bottleneck,
      kindMs: status.nowMs - sinceMs,
      starting: this.#isStarting(window),
      promisedAgeMs: this.#promisedAgeMs,
    })
    const verdict = {
      bottleneck: finding.bottleneck,
      kind: finding.kind,
      confidence: verdictConfidence(facts, finding),
      sentence: sentenceOf(facts, finding),
      evidence: [...finding.evidence],
      second: other === null ? null : candidate(facts, other),
      sinceMs,
    }
    return { health, verdict }
  }

  /** What it says now, in short; null before the first status. */
  said(): Pick<Diagnosis, 'health' | 'verdict'> | null {
    const facts = this.#facts()
    return facts === null ? null : this.#say(facts, this.#findings(facts))
  }

  #facts(): Facts | null {
    const window = this.#latest
    if (window === null) return null
    const { to: status } = window
    const sinceMs = status.nowMs - (this.#lastCompletionMs ?? status.nowMs)
    const { stillMs, oldestOpen } = this.#still
    const seen = { outages: this.#outages.read(), stillMs, oldestOpen }
    this.#known ??= factsOf(window, this.#trend.read(), sinceMs, seen, this.#learned)
    return this.#known
  }

  #findings(facts: Facts): readonly Finding[] {
    this.#found ??= findingsOf(facts)
    return this.#found
  }

  /** The shortest that has enough in it; of a run that is over, all of it. */
  #window(to: Status): Window {
    if (to.state === 'stopped' || to.state === 'failed' || this.#statuses.length === 1) return windowOf(null, to)
    let from = this.#statuses[0] as Status
    for (const status of this.#statuses) {
      const ms = to.nowMs - status.nowMs
      if (ms < LEAST_WINDOW_MS || completed(to) - completed(status) < ENOUGH_COMPLETIONS) break
      from = status
    }
    return windowOf(from, to)
  }

  /**
   * The facts of all the time since the verdict has been what it is, as far as it is kept: what a knob brings is told by
   * the pace, and that of the shortest window is as uneven as its few batches are.
   */
  #steady(facts: Facts): Facts {
    const sinceMs = Math.max(this.#said?.sinceMs ?? 0, facts.status.nowMs - LONGEST_WINDOW_MS)
    const from = this.#statuses.find(({ nowMs }) => nowMs >= sinceMs)
    if (from === undefined || facts.window.from === null || from.nowMs >= facts.window.from.nowMs) return facts
    const window = windowOf(from, facts.status)
    return factsOf(window, facts.trend, facts.sinceCompletionMs, facts, this.#learned)
  }

  #decide(): void {
    const facts = this.#facts() as Facts
    const { nowMs } = facts.status
    if (this.#isStarting(facts.window)) return
    const finding = this.#findings(facts)[0] ?? NOTHING
    if (this.#said === null || keyOf(finding) === keyOf(this.#said.finding)) {
      this.#said = { finding, sinceMs: this.#said?.sinceMs ?? nowMs }
      this.#seen = null
      return
    }
    const key = keyOf(finding)
    if (this.#seen?.key !== key) this.#seen = { key, sinceMs: nowMs }
    // That nothing holds it back any more is said at once, and so are what has been seen for long and the end of a stall.
    const atOnce = finding.kind === 'none' || finding.certain === true || this.#said.finding.kind === 'stalled'
    if (!atOnce && nowMs - this.#seen.sinceMs < CONFIRM_MS) return
    this.#said = { finding, sinceMs: this.#seen.sinceMs }
    this.#seen = null
  }

  #isStarting({ to, ms }: Window): boolean {
    return to.state === 'starting' || (to.state === 'running' && ms < LEAST_SEEN_MS)
  }
}

/** What was told counts; what was not is what the sources say of their group. */
function groupOf(
  { group }: Status,
  { replicas, partitions }: Pick<DoctorOptions, 'replicas' | 'partitions'>,
  given: Pick<GroupSize, 'maxReplicas' | 'startupMs'>,
): GroupSize {
  const known = replicas ?? group.members
  return { ...given, replicas: known ?? 1, isKnown: known !== null, partitions: partitions ?? group.mostMembers }
}

function keyOf({ bottleneck, kind }: Finding): string {
  return `${kind} ${bottleneck}`
}

function candidate(facts: Facts, finding: Finding): Candidate {
  return {
    bottleneck: finding.bottleneck,
    kind: finding.kind,
    confidence: verdictConfidence(facts, finding),
    sentence: sentenceOf(facts, finding),
  }
}

function isRebalancing({ from, to }: Window): boolean {
  return from !== null && to.sources.some(({ partitions }, index) => partitions !== from.sources[index]?.partitions)
}

/** The diagnosis of statuses that were kept: of one report that of the whole run. Throws nothing; null without any. */
export function diagnose(statuses: readonly Status[], options: DoctorOptions = {}): Diagnosis | null {
  const doctor = new Doctor(options)
  for (const status of statuses) doctor.observe(status)
  return doctor.diagnosis()
}
