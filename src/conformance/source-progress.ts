/**
 * The rules about progress: what a commit stores, what comes back, and which commits must not count. A restarted
 * process is a second source of the same world, opened after the first was closed.
 */
import type { Position } from '../model/connector.ts'
import { type ErrorCode, HeadgateError } from '../model/errors.ts'
import type { SourceRecord } from '../model/record.ts'
import { check, pause, rejection, until } from './case.ts'
import { after, type Reader } from './reader.ts'
import type { Scene, SourceRule, Traits } from './rule.ts'

const replays = ({ capabilities }: Traits): string | null =>
  capabilities.replayable ? null : 'it does not claim to be replayable'

const first = ({ world }: Scene): string => world.partitions[0] as string

/** A partition's records in offset order; whether they came in that order is for S3 to say. */
function inPartition(records: readonly SourceRecord[], partition: string): SourceRecord[] {
  return records.filter((record) => record.partition === partition).sort((a, b) => a.offset - b.offset)
}

/** Where the stored progress stands: what a restarted process is assigned. */
async function restart(scene: Scene, reader: Reader): Promise<Reader> {
  await reader.close()
  return scene.open()
}

async function isRefused(reader: Reader, position: Position, what: string, expected: ErrorCode): Promise<void> {
  const thrown = await rejection(reader.source.commit([position]), `${what} was accepted`)
  const code = thrown instanceof HeadgateError ? thrown.code : String(thrown)
  check(code === expected, `${what} was refused with ${code}, not with ${expected}`)
}

function isFenced(reader: Reader, position: Position, what: string): Promise<void> {
  return isRefused(reader, position, what, 'HG_FENCED')
}

const S5: SourceRule = {
  rule: 'S5',
  title: 'what was not committed is delivered again, what was committed is not',
  partitions: 2,
  records: 20,
  skip: replays,
  async run(scene) {
    const { partitions } = scene.world
    const reader = await scene.open()
    const records = await reader.read(S5.records * partitions.length)
    const positions = partitions.map((name, at) => reader.position(name, after(inPartition(records, name)[7 + at])))
    await reader.source.commit(positions)
    const expected = partitions.flatMap((name, at) => inPartition(records, name).slice(8 + at))
    const again = await restart(scene, reader)
    const returned = await again.read(expected.length)
    for (const [at, name] of partitions.entries()) {
      const want = inPartition(expected, name).map((record) => record.offset)
      const got = inPartition(returned, name).map((record) => record.offset)
      const committed = positions[at]?.nextOffset
      check(
        got.join() === want.join(),
        `after a commit at ${committed}, ${name} delivered ${got.join()}, not ${want.join()}`,
      )
    }
  },
}

const S6: SourceRule = {
  rule: 'S6',
  title: 'a commit with a stale epoch is fenced',
  partitions: 1,
  records: 10,
  skip: () => null,
  async run(scene) {
    const partition = first(scene)
    const reader = await scene.open()
    const records = inPartition(await reader.read(S6.records), partition)
    const position = reader.position(partition, after(records[4]))
    await isFenced(reader, { ...position, epoch: position.epoch - 1 }, 'a commit with an earlier epoch')
    await reader.source.commit([position])
    if (scene.traits.lacks('lose', 'assign') !== null) return
    await scene.lose([partition])
    await scene.assign([partition])
    const isLater = (): boolean => (reader.assignments.get(partition)?.epoch ?? 0) > position.epoch
    await until(isLater, scene.patienceMs, `${partition} did not come back with a later epoch`)
    const late = { ...position, nextOffset: after(records[7]) }
    await isFenced(reader, late, 'a commit with the epoch of before the partition was lost')
  },
}

const S7: SourceRule = {
  rule: 'S7',
  title: 'a commit that would move a partition back is refused, and one may be repeated',
  partitions: 1,
  records: 12,
  skip: replays,
  async run(scene) {
    const partition = first(scene)
    const reader = await scene.open()
    const records = inPartition(await reader.read(S7.records), partition)
    const position = reader.position(partition, after(records[8]))
    await reader.source.commit([position])
    await reader.source.commit([position])
    const back = { ...position, nextOffset: after(records[2]) }
    await isRefused(reader, back, 'a commit that moves the partition back', 'HG_COMMIT_FAILED')
    const again = await restart(scene, reader)
    const stored = again.assignment(partition).nextOffset
    check(stored === position.nextOffset, `it was committed at ${position.nextOffset}, and now stands at ${stored}`)
  },
}

const S10: SourceRule = {
  rule: 'S10',
  title: 'a revoked partition is given up only after its last commit',
  partitions: 2,
  records: 10,
  skip: (traits) => traits.lacks('revoke', 'assign'),
  async run(scene) {
    const partition = first(scene)
    const reader = await scene.open()
    const records = await reader.read(S10.records * scene.world.partitions.length)
    const position = reader.position(partition, after(inPartition(records, partition)[5]))
    let refused: unknown = null
    let committed = false
    reader.letGo = async () => {
      await pause(30)
      await reader.source.commit([position]).catch((thrown: unknown) => {
        refused = thrown
      })
      committed = true
    }
    await scene.revoke([partition])
    check(reader.revoked.includes(partition), `${partition} was taken without a word`)
    check(committed, `${partition} was given up before its last commit`)
    check(refused === null, `the last commit of ${partition} was refused: ${String(refused)}`)
    await scene.assign([partition])
    await reader.assigned([partition])
    const { epoch, nextOffset } = reader.assignment(partition)
    check(epoch > position.epoch, `${partition} came back with the epoch ${epoch}, which is not later`)
    check(nextOffset === position.nextOffset, `${partition} came back at ${nextOffset}, not ${position.nextOffset}`)
  },
}

const S11: SourceRule = {
  rule: 'S11',
  title: 'of a lost partition nothing is delivered or committed any more',
  partitions: 2,
  records: 10,
  skip: (traits) => traits.lacks('lose', 'assign'),
  async run(scene) {
    const { patienceMs } = scene
    const partition = first(scene)
    const reader = await scene.open()
    const records = await reader.read(S11.records * scene.world.partitions.length)
    const kept = reader.position(partition, after(inPartition(records, partition)[1]))
    const late = { ...kept, nextOffset: after(inPartition(records, partition)[5]) }
    await reader.source.commit([kept])
    await scene.lose([partition])
    await until(() => reader.lost.includes(partition), patienceMs, `nobody was told that ${partition} is lost`)
    await isFenced(reader, late, `a commit of the lost ${partition}`)
    const { batches } = await reader.pull()
    check(!batches.some((batch) => batch.partition === partition), `the lost ${partition} was delivered`)
    await scene.assign([partition])
    await reader.assigned([partition])
    const { nextOffset } = reader.assignment(partition)
    check(nextOffset === kept.nextOffset, `${partition} came back at ${nextOffset}, not ${kept.nextOffset}`)
  },
}

const S16: SourceRule = {
  rule: 'S16',
  title: 'what a commit stored as doneAhead comes back byte for byte',
  partitions: 1,
  records: 10,
  skip: (traits) => replays(traits) ?? (traits.capabilities.metadataBytes === 0 ? 'it claims to store none' : null),
  async run(scene) {
    const partition = first(scene)
    const size = Math.min(256, scene.traits.capabilities.metadataBytes)
    const doneAhead = Uint8Array.from({ length: size }, (_, at) => 255 - at)
    const reader = await scene.open()
    const records = inPartition(await reader.read(S16.records), partition)
    check(reader.assignment(partition).doneAhead === null, 'there is a doneAhead before any commit')
    await reader.source.commit([reader.position(partition, after(records[3]), doneAhead)])
    const again = await restart(scene, reader)
    const back = again.assignment(partition).doneAhead
    check(back !== null && Buffer.from(back).equals(doneAhead), `${size} bytes were stored, and other bytes came back`)
    await again.read(1)
    await again.source.commit([again.position(partition, after(records[4]), null)])
    const last = await restart(scene, again)
    check(last.assignment(partition).doneAhead === null, 'a commit without doneAhead left the earlier one in place')
  },
}

export const PROGRESS_RULES: readonly SourceRule[] = [S5, S6, S7, S10, S11, S16]
