/** No broker answers: the error names each address with what it met, as the command line prints it. */
import { createServer, type Server } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { z } from 'zod'
import { Cluster } from '../../../../src/connectors/kafka/wire/cluster.ts'
import { connectionShape } from '../../../../src/connectors/kafka/wire/options.ts'
import { describe as described } from '../../../../src/model/errors.ts'
import { SILENT_LOGGER } from '../../../../src/model/logger.ts'
import { checked } from '../../../../src/model/schema-check.ts'

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

async function listening(): Promise<{ server: Server; address: string }> {
  const server = createServer((socket) => socket.on('error', () => {}).end())
  servers.push(server)
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  return { server, address: `127.0.0.1:${(server.address() as { port: number }).port}` }
}

/** Ports that were free a moment ago: nothing listens there. None is closed before all are open, so that they differ. */
async function refusing(count: number): Promise<string[]> {
  const opened = await Promise.all(Array.from({ length: count }, listening))
  for (const { server } of opened) {
    await new Promise((resolve) => {
      server.close(resolve)
    })
  }
  return opened.map(({ address }) => address)
}

async function printed(brokers: readonly string[]): Promise<string> {
  const settings = checked('test', z.strictObject(connectionShape), { brokers, clientId: 'test' })
  return Cluster.connect(settings, SILENT_LOGGER, new AbortController().signal).then(() => 'it connected', described)
}

test('each broker that refuses is named, with its reason, and nothing of how they were tried', async () => {
  const brokers = await refusing(2)
  const text = await printed(brokers)
  expect(text).toContain(`None of ${brokers.join(', ')} could be reached`)
  for (const address of brokers) expect(text).toContain(`ECONNREFUSED ${address}`)
  expect(text).not.toMatch(/promise|AggregateError/i)
})

test('brokers that meet different things are told apart', async () => {
  const { address: silent } = await listening()
  const [gone] = (await refusing(1)) as [string]
  const text = await printed([gone, silent])
  expect(text).toContain(`ECONNREFUSED ${gone}`)
  expect(text).toContain(`The broker ${silent} ended the connection`)
  expect(text).not.toMatch(/promise|AggregateError/i)
})

test('a broker whose name has several addresses is named with the reason of one of them', async () => {
  const [address] = (await refusing(1)) as [string]
  const port = address.split(':')[1]
  const text = await printed([`localhost:${port}`])
  expect(text).toMatch(new RegExp(`The broker localhost:${port} cannot be reached: .*ECONNREFUSED \\S+:${port}`))
  expect(text).not.toMatch(/promise|AggregateError/i)
})
