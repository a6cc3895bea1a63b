/**
 * Two rows that no stopwatch measures: how much a killed consumer does again, and what a group that grows to four
 * members and shrinks again does to its records. An oracle over the members' logs knows the fate of each record.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { median, type Result } from '../harness.ts'
import type { Surroundings } from './measure.ts'
import { CompletionLog, firstOf, longestPauseMs, Member, type MemberSide, outOfOrder } from './member.ts'
import type { Completion } from './sides/spec.ts'
import type { Topic } from './topics.ts'

const BY_HAND = 'KafkaJS by hand'
const AT_KILL = 'in flight at the kill'
const KILL_CONCURRENCY = 100
/** Together four members stay below what the machine can do, or they would wait for it and not for each other. */
const MEMBER_CONCURRENCY = 25
const MEMBERS = 4
const LIMIT_MS = 120_000

export interface Fault {
  readonly name: string
  readonly topic: Topic
  readonly kills: number
  /** How long a stage of the run takes, in milliseconds. */
  readonly stageMs: number
  run(fault: Fault, around: Surroundings): Promise<Result[]>
}

async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'headgate-bench-'))
  try {
    return await work(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function until(what: string, members: readonly Member[], reached: () => boolean): Promise<void> {
  for (const deadline = Date.now() + LIMIT_MS; !reached(); await delay(100)) {
    for (const member of members) member.checkRunning()
    if (Date.now() > deadline) throw new Error(`${what} took longer than ${LIMIT_MS / 1000} s`)
  }
}

/** Kills a consumer under load and starts it again, `kills` times in one run; then lets it finish. */
export async function killAndRedo({ name, topic, kills, stageMs }: Fault, around: Surroundings): Promise<Result[]> {
  return inFolder(async (folder) => {
    const file = join(folder, 'completions')
    const log = new CompletionLog(file)
    const spec = { ...placeOf(topic, around), concurrency: KILL_CONCURRENCY, log: file }
    const inFlight: number[] = []
    const redone: number[] = []
    let again = 0
    let member = new Member(spec)
    try {
      for (let kill = 0; kill < kills; kill += 1) {
        const before = log.all().length
        await until('a consumer that begins', [member], () => log.all().length > before)
        await delay(stageMs)
        const atKill = member.inFlight
        await member.kill()
        const done = log.all().length
        member = new Member(spec)
        // What it does again it does first: these are the oldest records that are not committed.
        await until('a consumer that goes on', [member], () => log.all().length > done + 2 * atKill + KILL_CONCURRENCY)
        const { again: sofar } = firstOf(log.all())
        inFlight.push(atKill)
        redone.push(sofar - again)
        again = sofar
        around.say(`${name}: kill ${kill + 1}, ${redone.at(-1)} done again, ${atKill} in flight`)
      }
      await until('the rest', [member], () => firstOf(log.all()).first.length === topic.records)
      await member.stop()
    } finally {
      await member.kill()
    }
    const { first } = firstOf(log.all())
    const ratio = {
      [AT_KILL]: Math.max(...redone.map((count, index) => count / Math.max(1, inFlight[index] as number))),
    }
    const lost = topic.records - first.length
    const unordered = outOfOrder(first)
    const row: Result = {
      ...{
        name,
        unit: 'records',
        headgate: median(redone),
        peers: { [AT_KILL]: median(inFlight) },
        ratio,
        lower: true,
      },
      ...{ goal: { [AT_KILL]: 1 }, holds: (ratio[AT_KILL] as number) <= 1 && lost === 0 && unordered === 0 },
      ...{ skipped: {}, notes: { kills, lost, 'out of order': unordered } },
    }
    return [row]
  })
}

/** One member, then two, then four, then one again, under load all the time; then the same written by hand. */
export async function growAndShrink(fault: Fault, around: Surroundings): Promise<Result[]> {
  const { name, topic } = fault
  const { first, again, left } = await growAndShrinkOf('member', fault, around)
  const skipped: Record<string, string> = {}
  const peer = await growAndShrinkOf('member-by-hand', fault, around).catch((error: unknown) => {
    skipped[BY_HAND] = `failed: ${error instanceof Error ? error.message : String(error)}`
    return null
  })
  const wrong = topic.records - first.length + outOfOrder(first) + left
  const fate: Result = {
    ...{ name: `${name} · lost, uncommitted or out of order`, unit: 'records', headgate: wrong },
    ...{ peers: { allowed: 0 }, ratio: {}, goal: {}, holds: wrong === 0, skipped: {} },
    notes: { 'done twice': again, ...(peer && { [`done twice, ${BY_HAND}`]: peer.again }), records: topic.records },
  }
  const pauseMs = longestPauseMs(first)
  const peerPauseMs = peer && longestPauseMs(peer.first)
  const pause: Result = {
    ...{ name: `${name} · longest pause of a partition`, unit: 'ms', headgate: pauseMs, lower: true },
    peers: peerPauseMs === null ? {} : { [BY_HAND]: peerPauseMs },
    ratio: peerPauseMs === null ? {} : { [BY_HAND]: pauseMs / peerPauseMs },
    ...{ goal: {}, holds: null, skipped, notes: {} },
  }
  return [fate, pause]
}

interface Rebalanced {
  readonly first: readonly Completion[]
  readonly again: number
  /** Records that are not committed. */
  readonly left: number
}

async function growAndShrinkOf(
  side: MemberSide,
  { name, topic, stageMs }: Fault,
  around: Surroundings,
): Promise<Rebalanced> {
  return inFolder(async (folder) => {
    const place = placeOf(topic, around)
    const logs: CompletionLog[] = []
    const members: Member[] = []
    const grow = (): void => {
      const file = join(folder, `completions-${members.length}`)
      members.push(new Member({ ...place, concurrency: MEMBER_CONCURRENCY, log: file }, side))
      logs.push(new CompletionLog(file))
    }
    const all = () => logs.flatMap((log) => log.all())
    const allBegan = () => logs.every((log) => log.all().length > 0)
    const label = side === 'member' ? name : `${name}, ${BY_HAND}`
    try {
      grow()
      await until('the first member', members, allBegan)
      for (const size of [2, MEMBERS]) {
        await delay(stageMs)
        while (members.length < size) grow()
        await until('members that join', members, allBegan)
        around.say(`${label}: ${size} members at work`)
      }
      await delay(stageMs)
      for (const member of members.slice(1)) await member.stop()
      around.say(`${label}: one member left`)
      await until('the rest', members.slice(0, 1), () => firstOf(all()).first.length === topic.records)
      await members[0]?.stop()
    } finally {
      await Promise.all(members.map((member) => member.kill()))
    }
    return { ...firstOf(all()), left: await around.lag(place.group, topic.name) }
  })
}

function placeOf(
  topic: Topic,
  around: Surroundings,
): { broker: string; topic: string; group: string; records: number } {
  const group = `bench-fault-${process.pid}-${Date.now().toString(36)}`
  return { broker: around.broker, topic: topic.name, group, records: topic.records }
}
