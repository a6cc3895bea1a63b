/**
 * Redis Streams with `appendfsync always`, which is what it takes to acknowledge only what is on disk: a server of our
 * own on a free loopback port and in its own directory, one XADD a record, a batch pipelined. Skipped, by name, where
 * `redis-server` is not installed. The server is ended by its process id.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { Missing } from '../harness.ts'
import type { OpenStore } from './workload.ts'

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

async function startServer(directory: string, port: number): Promise<ChildProcess> {
  const options = ['--bind', '127.0.0.1', '--port', `${port}`, '--dir', directory, '--save', '']
  const durable = ['--appendonly', 'yes', '--appendfsync', 'always']
  const server = spawn('redis-server', [...options, ...durable], { stdio: ['ignore', 'pipe', 'inherit'] })
  await new Promise<void>((resolve, reject) => {
    server.once('error', () => reject(new Missing('redis-server is not installed; apt-get install redis-server')))
    server.once('exit', (code) => reject(new Error(`redis-server ended with ${code}`)))
    server.stdout?.on('data', (text: Buffer) => {
      if (text.includes('Ready to accept connections')) resolve()
    })
  })
  // Whatever ends this process ends the server.
  process.once('exit', () => server.kill('SIGKILL'))
  return server
}

export const openStore: OpenStore = async (directory) => {
  const port = await freePort()
  const server = await startServer(directory, port)
  let createClient: typeof import('redis').createClient
  try {
    createClient = (await import('redis')).createClient
  } catch {
    server.kill()
    throw new Missing('redis is not installed; run npm ci --prefix bench')
  }
  const client = createClient({ socket: { host: '127.0.0.1', port } })
  client.on('error', () => {})
  await client.connect()
  let last = '-'
  return {
    // Issued in one tick: the client pipelines them.
    append: (values) => Promise.all(values.map((value) => client.xAdd('bench', '*', { v: value }))),
    async read(index) {
      const entries = await client.xRange('bench', index === 0 ? '-' : `(${last}`, '+', { COUNT: 1000 })
      last = entries.at(-1)?.id ?? '-'
      let bytes = 0
      for (const entry of entries as { id: string; message?: Record<string, string> }[]) {
        bytes += entry.message?.['v']?.length ?? 0
      }
      return { records: entries.length, bytes }
    },
    async close() {
      await client.close()
      const gone = once(server, 'exit')
      server.kill()
      await Promise.race([gone, delay(5_000, undefined, { ref: false })])
    },
  }
}
