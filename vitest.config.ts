import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const source = (path: string): string => fileURLToPath(new URL(`./src/${path}`, import.meta.url))

const alias = [
  { find: /^headgate$/, replacement: source('index.ts') },
  { find: /^headgate\/(conformance|console|limit|telemetry)$/, replacement: source('$1/index.ts') },
  { find: /^headgate\/(memory|log|file|kafka)$/, replacement: source('connectors/$1/index.ts') },
]

// unit: in one process, no child processes, seconds; `npm run unit` lets files share a worker, so that each module is loaded
// once and not for each file: a test leaves nothing behind, and replaces no module. integration: real processes, the built
// package, the simulation.
export default defineConfig({
  test: {
    maxWorkers: '100%',
    projects: [
      {
        resolve: { alias },
        test: {
          name: 'unit',
          // Said by what is included: an exclusion of its own would have those of the command line ignored.
          include: ['tests/**/!(*.integration).test.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          expect: { poll: { timeout: 30_000 } },
        },
      },
      {
        resolve: { alias },
        test: {
          name: 'integration',
          include: ['tests/**/*.integration.test.ts'],
          testTimeout: 180_000,
          hookTimeout: 120_000,
          expect: { poll: { timeout: 60_000 } },
        },
      },
    ],
  },
})
