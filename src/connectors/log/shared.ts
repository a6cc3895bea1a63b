/**
 * What every user of one directory in this process shares: the store, its topics and its groups. `openLog`, sources
 * and sinks open it. Invariant: it is handed out only after recovery has looked at the end of each partition.
 */
import { Groups } from './groups.ts'
import { recover } from './recovery.ts'
import { openStore, type Store, type StoreOptions } from './store.ts'
import { Topics } from './topics.ts'

export interface Shared {
  readonly store: Store
  readonly topics: Topics
  readonly groups: Groups
}

const ready = new WeakMap<Store, Promise<Shared>>()

/** Whoever calls this calls `shared.store.release()` once. */
export async function openShared(directory: string, options: StoreOptions = {}): Promise<Shared> {
  const store = await openStore(directory, options)
  let opening = ready.get(store)
  if (!opening) {
    opening = prepare(store)
    ready.set(store, opening)
  }
  try {
    return await opening
  } catch (error) {
    await store.release()
    throw error
  }
}

async function prepare(store: Store): Promise<Shared> {
  const topics = new Topics(store)
  await recover(store, topics)
  return { store, topics, groups: new Groups(store, topics) }
}
