/**
 * Loads `@platformatic/kafka` for the adapter: the requests that are made, what reads and writes them, and compressions,
 * each out of its own file. The whole library takes far more memory, for clients, requests and caches that are not used
 * here. Where its files lie otherwise (another version, a bundle) all of it is loaded by its name. Invariant: what comes
 * back has all that the adapter needs, or the import's own error is thrown.
 */
import type * as Library from '@platformatic/kafka'

export const PEER = '@platformatic/kafka'

const REQUESTS = {
  admin: ['describeGroupsV5', 'consumerGroupDescribeV0'],
  consumer: [
    ...['listOffsetsV7', 'listOffsetsV8', 'listOffsetsV9', 'offsetCommitV8', 'offsetCommitV9'],
    ...['offsetFetchV8', 'offsetFetchV9', 'joinGroupV6', 'joinGroupV7', 'joinGroupV8', 'joinGroupV9'],
    ...['heartbeatV4', 'leaveGroupV4', 'leaveGroupV5', 'syncGroupV4', 'syncGroupV5'],
    ...['consumerGroupHeartbeatV0', 'consumerGroupHeartbeatV1'],
  ],
  metadata: [
    ...['apiVersionsV3', 'metadataV9', 'metadataV10', 'metadataV11', 'metadataV12'],
    ...['findCoordinatorV4', 'findCoordinatorV5', 'findCoordinatorV6'],
  ],
  producer: [
    ...['initProducerIdV4', 'initProducerIdV5', 'addPartitionsToTxnV3', 'addOffsetsToTxnV3', 'addOffsetsToTxnV4'],
    ...['endTxnV3', 'endTxnV4', 'txnOffsetCommitV3', 'txnOffsetCommitV4'],
  ],
} as const

type RequestName = (typeof REQUESTS)[keyof typeof REQUESTS][number]
type PartName = 'Reader' | 'Writer' | 'crc32c' | 'compressionsAlgorithms'

const PARTS: Readonly<Record<PartName, string>> = {
  Reader: 'protocol/reader',
  Writer: 'protocol/writer',
  crc32c: 'protocol/crc32c',
  compressionsAlgorithms: 'protocol/compression',
}

const SASL_FILES = {
  saslPlain: 'protocol/sasl/plain',
  saslScramSha: 'protocol/sasl/scram-sha',
  saslOAuthBearer: 'protocol/sasl/oauth-bearer',
  saslHandshakeV1: 'apis/security/sasl-handshake-v1',
  saslAuthenticateV2: 'apis/security/sasl-authenticate-v2',
} as const

export type Module = Pick<typeof Library, RequestName | PartName>
export type SaslModule = Pick<typeof Library, keyof typeof SASL_FILES>

/** Rejects as `import('@platformatic/kafka')` does. */
export async function loadLibrary(): Promise<Module> {
  return (await loadFiles()) ?? import('@platformatic/kafka')
}

/** What is needed where brokers ask who we are. */
export async function loadSasl(): Promise<SaslModule> {
  try {
    const files = Object.entries(SASL_FILES)
    const loaded = await Promise.all(files.map(async ([name, file]) => [name, await load(file)] as const))
    return Object.fromEntries(loaded) as unknown as SaslModule
  } catch {
    return import('@platformatic/kafka')
  }
}

async function loadFiles(): Promise<Module | null> {
  try {
    const parts = Object.entries(PARTS).map(async ([name, file]) => [name, (await load(file))[name]] as const)
    const requests = Object.entries(REQUESTS).flatMap(([folder, names]) =>
      names.map(async (name) => [name, await load(`apis/${folder}/${fileOf(name)}`)] as const),
    )
    const loaded = await Promise.all([...parts, ...requests])
    return loaded.every(([, each]) => each !== undefined) ? (Object.fromEntries(loaded) as unknown as Module) : null
  } catch {
    return null
  }
}

function load(file: string): Promise<Record<string, unknown>> {
  return import(new URL(`./${file}.js`, import.meta.resolve(PEER)).href) as Promise<Record<string, unknown>>
}

/** `offsetCommitV8` is in `offset-commit-v8`. */
function fileOf(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}
