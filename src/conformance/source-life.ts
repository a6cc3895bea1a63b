/**
 * The rules about being alive: what is held, a pause of any length, quieting down, and a connection that comes back.
 */
import { classify } from '../model/errors.ts'
import type { SourceRecord } from '../model/record.ts'
import { check, pause, until } from './case.ts'
import { after, PLENTY, recordsOf } from './reader.ts'
import type { SourceRule } from './rule.ts'

const FEW = { records: 5, bytes: PLENTY.bytes }

const S8: SourceRule = {
  rule: 'S8',
  title: 'held() is what the broker handed out and no pull has returned yet',
  partitions: 2,
  records: 30,
  skip: (traits) => traits.lacks('handedOut'),
  async run({ world, open, patienceMs, handedOut }) {
    const reader = await open()
    const all = S8.records * world.partitions.length
    let returned = 0
    while (returned < all) {
      returned += (await reader.read(1, { credit: FEW })).length
      let [held, out] = [0, 0]
      const agree = async (): Promise<boolean> => {
        const { records, bytes } = reader.source.held()
        check(records > 0 === bytes > 0, `held() is ${records} records of ${bytes} bytes`)
        held = records
        out = await handedOut()
        return out - returned === held
      }
      await until(agree, patienceMs, 'held() and the broker do not agree').catch((thrown: Error) => {
        thrown.message += `: held ${held}, handed out ${out}, returned ${returned}`
        throw thrown
      })
    }
  },
}

const S9: SourceRule = {
  rule: 'S9',
  title: 'a source that is not pulled for three sessions keeps its partitions',
  partitions: 2,
  records: 10,
  skip: ({ sessionMs }) => (sessionMs === null ? 'it has no session that could expire' : null),
  async run({ world, open, traits }) {
    const reader = await open()
    const all = S9.records * world.partitions.length
    const before = await reader.read(1, { credit: FEW })
    await pause(3 * (traits.sessionMs ?? 0))
    const gone = [...reader.lost, ...reader.revoked]
    check(gone.length === 0, `${gone.join(', ')} went away while nothing was pulled`)
    const { partition } = before[0] as SourceRecord
    await reader.source.commit([reader.position(partition, after(before[0]))])
    await reader.read(all - before.length)
    check(reader.lost.length + reader.revoked.length === 0, 'a partition went away after a long pause')
  },
}

const S12: SourceRule = {
  rule: 'S12',
  title: 'quiesce gives back what is held, and commits still work',
  partitions: 2,
  records: 30,
  skip: () => null,
  async run({ open, traits }) {
    const reader = await open()
    const before = await reader.read(1, { credit: FEW })
    await reader.source.quiesce(new AbortController().signal)
    const { records, bytes } = reader.source.held()
    check(records === 0 && bytes === 0, `${records} records of ${bytes} bytes are held after quiesce`)
    const late = recordsOf(await reader.pull())
    check(late.length === 0, `${late.length} records were delivered after quiesce`)
    const ends = new Map<string, number>()
    for (const record of before) ends.set(record.partition, Math.max(after(record), ends.get(record.partition) ?? 0))
    await reader.source.commit([...ends].map(([name, nextOffset]) => reader.position(name, nextOffset)))
    if (!traits.capabilities.replayable) return
    await reader.close()
    const again = await open()
    for (const [name, nextOffset] of ends) {
      const stored = again.assignment(name).nextOffset
      check(stored === nextOffset, `${name} was committed at ${nextOffset} after quiesce, and stands at ${stored}`)
    }
  },
}

const S15: SourceRule = {
  rule: 'S15',
  title: 'a lost connection comes back by itself, and nothing is missing',
  partitions: 2,
  records: 20,
  skip: (traits) => traits.lacks('disconnect', 'reconnect'),
  async run({ world, open, patienceMs, disconnect, reconnect }) {
    const reader = await open()
    const name = (record: SourceRecord): string => `${record.partition}@${record.offset}`
    const seen = new Set((await reader.read(1, { credit: FEW })).map(name))
    const attempt = async (): Promise<void> => {
      try {
        for (const record of recordsOf(await reader.pull({ credit: FEW }))) seen.add(name(record))
      } catch (thrown) {
        const { code, message } = classify(thrown)
        check(code === 'HG_CONNECTION_LOST', `a pull without a connection failed with ${code}: ${message}`)
      }
    }
    await disconnect()
    await attempt()
    await attempt()
    await reconnect()
    const all = S15.records * world.partitions.length
    const complete = async (): Promise<boolean> => {
      await attempt()
      return seen.size >= all
    }
    await until(complete, patienceMs, `not all of ${all} records came after the connection was back`)
  },
}

export const LIFE_RULES: readonly SourceRule[] = [S8, S9, S12, S15]
