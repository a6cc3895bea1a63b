/**
 * Takes the pictures of docs/console: `npx tsx tests/console/page/screenshots.ts LINK FOLDER`, where LINK is what
 * `headgate doctor --link` prints of a running pipeline (`npm start`, some minutes into its burst). The upper part of
 * the page, wide and narrow, light and dark.
 */
import { join } from 'node:path'
import { findBrowser, launch } from './browser.ts'

const SIZES = [
  ['wide', { width: 1280, height: 2080 }],
  ['narrow', { width: 390, height: 1780 }],
] as const

const [link, folder] = process.argv.slice(2)
const path = findBrowser()
if (!link || !folder || path === null) throw new Error('usage: screenshots.ts LINK FOLDER, with chromium on the path')

const browser = await launch(path)
for (const [name, viewport] of SIZES) {
  for (const colorScheme of ['light', 'dark'] as const) {
    const page = await browser.newPage({ viewport, colorScheme })
    await page.goto(link)
    await page.waitForSelector('html[data-line=live]')
    await page.waitForSelector('.plot canvas')
    await page.screenshot({ path: join(folder, `${name}-${colorScheme}.png`) })
    await page.close()
  }
}
await browser.close()
