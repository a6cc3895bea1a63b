/** Commits reach the coordinator in the order in which they were made, whatever else is asked of it. */
import { setImmediate as turn } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { Committer } from '../../../../src/connectors/kafka/commit/committer.ts'
import type { Identity, Membership } from '../../../../src/connectors/kafka/group/membership.ts'
import { sourceSettings } from '../../../../src/connectors/kafka/option.ts'
import { Partition } from '../../../../src/connectors/kafka/partition.ts'
import type { CommitTopic } from '../../../../src/connectors/kafka/wire/calls.ts'
import type { Cluster, CoordinatorCall } from '../../../../src/connectors/kafka/wire/cluster.ts'

const NAME = 't/0'
const EPOCH = 1
const identity: Identity = { generation: 1, memberId: 'm', groupInstanceId: null }

/** A coordinator that answers when it is told to. */
class Scene {
  readonly roles: (string | undefined)[] = []
  /** Offsets of the requests that it got, in order. */
  readonly got: number[] = []
  readonly partition = new Partition('t', 0, NAME, EPOCH, 0)
  readonly committer: Committer
  readonly #answers: (() => void)[] = []

  constructor() {
    const connection = {
      call: (_name: string, _group: string, _generation: number, _member: string, _id: null, topics: CommitTopic[]) => {
        this.got.push(Number(topics[0]!.partitions[0]!.committedOffset))
        const answer = topics.map(({ name, partitions }) => ({
          name,
          partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode: 0 })),
        }))
        return new Promise((resolve) => this.#answers.push(() => resolve({ topics: answer })))
      },
    }
    const cluster = {
      onCoordinator: (
        _kind: number,
        _key: string,
        call: (to: typeof connection) => Promise<unknown>,
        _codeOf: unknown,
        _withinMs: number,
        { role }: CoordinatorCall = {},
      ) => {
        this.roles.push(role)
        return call(connection)
      },
    }
    const settings = sourceSettings({ brokers: ['localhost:9092'], group: 'g', topics: 't', decode: () => null })
    this.committer = new Committer(
      cluster as unknown as Cluster,
      settings,
      { identity } as Membership,
      new Map([[NAME, this.partition]]),
    )
  }

  commit(nextOffset: number): Promise<void> {
    return this.committer.commit([{ partition: NAME, epoch: EPOCH, nextOffset, doneAhead: null }])
  }

  async answer(): Promise<void> {
    this.#answers.shift()!()
    await turn()
  }
}

it('a commit waits behind no other request: it would be stored late, when a newer one is stored already', async () => {
  const scene = new Scene()
  const done = scene.commit(5)
  await turn()
  expect(scene.roles).toEqual(['commit'])
  await scene.answer()
  await done
  expect(scene.partition.committed).toBe(5)
})

it('commits go one after the other, and what is stored at the beginning goes before them', async () => {
  const scene = new Scene()
  const anchored = scene.committer.anchor([{ topic: 't', partition: 0, nextOffset: 0 }])
  const done = scene.commit(5)
  await turn()
  expect(scene.got).toEqual([0])
  await scene.answer()
  expect(scene.got).toEqual([0, 5])
  await scene.answer()
  await Promise.all([anchored, done])
})

it('what was ours when a commit was made and is not when its turn comes is not stored', async () => {
  const scene = new Scene()
  const anchored = scene.committer.anchor([{ topic: 't', partition: 0, nextOffset: 0 }])
  const done = scene.commit(5)
  const fenced = expect(done).rejects.toMatchObject({ code: 'HG_FENCED' })
  await turn()
  scene.partition.ended = true
  await scene.answer()
  await fenced
  await anchored
  expect(scene.got).toEqual([0])
})
