/**
 * Builds the console's page into dist/console/page: one script with everything it needs bundled in, and the files that
 * are served as they are. The page loads nothing from anywhere else.
 */
import { copyFileSync, mkdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const from = fileURLToPath(new URL('../src/console/page/', import.meta.url))
const to = fileURLToPath(new URL('../dist/console/page/', import.meta.url))

mkdirSync(to, { recursive: true })
for (const name of ['index.html', 'icon.svg']) copyFileSync(from + name, to + name)

// Its licence asks to be carried along.
const uplot = readFileSync(new URL(import.meta.resolve('uplot/LICENSE')), 'utf8').trim()

await build({
  entryPoints: [`${from}console.ts`, `${from}console.css`],
  outdir: to,
  bundle: true,
  format: 'esm',
  target: 'es2022',
  minify: true,
  legalComments: 'none',
  banner: { js: `/*! With uPlot:\n${uplot}\n*/` },
  logLevel: 'warning',
})
