/**
 * The page in a real browser, fed with figures made up here: nothing that axe-core objects to in any look, data never
 * becomes markup, nothing comes from elsewhere, and a cut line is said. Skipped where there is no chromium; CI has one.
 */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { AxeResults } from 'axe-core'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { duration } from '../../../src/console/terminal/figures.ts'
import { overloadedDiagnosis, sampleDiagnosis } from '../sample-diagnosis.ts'
import { findBrowser, launch } from './browser.ts'
import { type Preview, startPreview } from './preview.ts'

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const chromium = findBrowser()
if (chromium === null && process.env['CI']) throw new Error('CI needs chromium on the path')

const WIDE = { width: 1360, height: 900 }
const NARROW = { width: 390, height: 844 }

describe.skipIf(chromium === null)('the page (needs chromium)', () => {
  let browser: Browser
  let preview: Preview
  let page: Page
  let problems: string[]

  beforeAll(async () => {
    browser = await launch(chromium as string)
  })
  afterAll(() => browser?.close())
  beforeEach(async () => {
    problems = []
    preview = await startPreview(sampleDiagnosis())
  })
  afterEach(async () => {
    await page?.context().close()
    await preview.close()
  })

  async function open(options: BrowserContextOptions = {}): Promise<void> {
    const context = await browser.newContext({ viewport: WIDE, ...options })
    page = await context.newPage()
    page.on('pageerror', (error) => problems.push(error.message))
    page.on('console', (entry) => entry.type() === 'error' && problems.push(entry.text()))
    page.on('request', (request) => {
      if (!request.url().startsWith(preview.url)) problems.push(`asks for ${request.url()}`)
    })
    await page.goto(preview.url)
    await page.waitForSelector('html[data-line=live]')
    await page.waitForSelector('.plot canvas')
  }

  const text = async (selector: string): Promise<string> =>
    (await page.waitForSelector(selector, { state: 'attached' })).evaluate((node) => node.textContent ?? '')

  /** What axe-core objects to, as `rule: element`. */
  async function objections(): Promise<string[]> {
    await page.evaluate(AXE)
    const { violations } = await page.evaluate(() =>
      (window as unknown as { axe: { run(): Promise<AxeResults> } }).axe.run(),
    )
    return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`))
  }

  describe.each([
    ['light', 'wide', WIDE],
    ['dark', 'wide', WIDE],
    ['light', 'narrow', NARROW],
    ['dark', 'narrow', NARROW],
  ] as const)('%s and %s', (colorScheme, _, viewport) => {
    test('passes axe-core, also with the drawers open, asking, and disconnected', async () => {
      await open({ colorScheme, viewport, reducedMotion: 'reduce' })
      expect(await objections()).toEqual([])
      await page.click('#evidence-drawer summary')
      await page.click('#options-drawer summary')
      await page.waitForSelector('.part-options')
      preview.show(overloadedDiagnosis())
      await page.waitForSelector('#health[data-mood=alarm]')
      expect(await objections()).toEqual([])
      await page.click('#drain')
      expect(await objections()).toEqual([])
      await page.keyboard.press('Escape')
      preview.cut()
      await page.waitForSelector('html[data-line=lost]')
      expect(await objections()).toEqual([])
    })

    test('is no wider than the screen', async () => {
      await open({ colorScheme, viewport })
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(viewport.width)
    })
  })

  test('puts the bottleneck, the sentence and the first figures where they are seen first', async () => {
    await open()
    expect(await text('#health')).toBe('throttling')
    expect(await text('#health-sentence')).toBe(sampleDiagnosis().health.sentence)
    expect(await text('.part.bottleneck .name')).toBe('fraud')
    expect(await text('#stages tr:has(.mark.bottleneck) th')).toContain('fraud')
    expect(await text('#done')).toBe('333/s')
    expect(await text('#age')).toBe('3m10s')
    const tops = await page.evaluate(() =>
      ['done', 'latency', 'age', 'pulled'].map((id) => document.getElementById(id)?.getBoundingClientRect().top ?? 0),
    )
    expect(Math.max(...tops.slice(0, 3))).toBeLessThan(tops[3] as number)
    expect(await text('#places-sum')).toContain('1,204 of 1,204 admitted, and they add up')
    expect(await text('#failures')).toContain('payments-3 @ 4711')
    expect(await text('.advice.hurts')).toContain('processes')
    expect(await page.locator('.advice.hurts button:visible').count()).toBe(0)
    expect(await page.locator('#verdicts li').count()).toBe(4)
    expect(problems).toEqual([])
  })

  test('shows what each part was told, with its unit, when it is asked to', async () => {
    await open()
    expect(await page.locator('.part-options').count()).toBe(0)
    await page.click('#options-drawer summary')
    await page.waitForSelector('.part-options')
    expect(await text('.part-options:has-text("fraud")')).toContain(`timeoutMs${duration(2_000)}`)
    expect(await text('.part-options:has-text("payments")')).toContain('sasl.password***')
    expect(problems).toEqual([])
  })

  test('shows data as text, whatever it is', async () => {
    const evil = '<img src=x onerror="document.title=1"><script>document.title=2</script>'
    const sample = sampleDiagnosis()
    preview.show(
      {
        ...sample,
        health: { ...sample.health, sentence: evil },
        verdict: { ...sample.verdict, sentence: `${evil}!` },
        hotKeys: [{ source: evil, key: evil, share: 0.5 }],
        lastFailures: sample.lastFailures.map((failure) => ({ ...failure, message: evil, partition: evil })),
        knobs: sample.knobs.map((knob) => ({ ...knob, knob: evil, sentence: evil })),
        places: sample.places.map((place) => ({ ...place, name: `${place.name}${evil}` })),
        stages: sample.stages.map((stage) => ({ ...stage, name: `${stage.name}${evil}` })),
      },
      (tick) => ({
        ...tick,
        status: {
          ...tick.status,
          pipeline: evil,
          stages: tick.status.stages.map((stage) => ({ ...stage, name: `${stage.name}${evil}` })),
        },
      }),
    )
    await open()
    expect(await text('#health-sentence')).toBe(evil)
    expect(await page.locator('main img, main script').count()).toBe(0)
    expect(await page.title()).toContain(evil)
    expect(problems).toEqual([])
  })

  test('says that the line is cut, lets nothing be changed then, and comes back by itself', async () => {
    await open()
    preview.cut()
    await page.waitForSelector('html[data-line=lost]')
    expect(await text('#connection')).toMatch(/^Disconnected since/)
    expect(await page.isDisabled('#pause')).toBe(true)
    preview.restore()
    await page.waitForSelector('html[data-line=live]', { timeout: 30_000 })
    expect(await page.isHidden('#connection')).toBe(true)
    expect(await page.isDisabled('#pause')).toBe(false)
  })

  test('tells a screen reader of another verdict, and not of other figures', async () => {
    await open()
    await page.waitForFunction(() => document.getElementById('announcer')?.textContent !== '')
    await page.evaluate(() => {
      const spoken: string[] = []
      Object.assign(window, { spoken })
      new MutationObserver(() => spoken.push(document.getElementById('announcer')?.textContent ?? '')).observe(
        document.getElementById('announcer') as Node,
        { childList: true, characterData: true, subtree: true },
      )
    })
    const sample = sampleDiagnosis()
    const flow = { ...sample.flow, completionPerSecond: 331 }
    preview.show({ ...sample, flow, health: { ...sample.health, sentence: 'Throttling still, with other figures.' } })
    await page.waitForFunction(() => document.getElementById('done')?.textContent === '331/s')
    preview.show(overloadedDiagnosis())
    await page.waitForFunction(() => (window as unknown as { spoken: string[] }).spoken.length > 0, null, {
      timeout: 30_000,
    })
    const spoken = await page.evaluate(() => (window as unknown as { spoken: string[] }).spoken)
    expect(spoken).toHaveLength(1)
    expect(spoken[0]).toMatch(/^overload/)
  })

  test('keeps the theme that was chosen', async () => {
    await open({ colorScheme: 'light' })
    const ground = (): Promise<string> => page.evaluate(() => getComputedStyle(document.body).backgroundColor)
    const light = await ground()
    await page.click('#theme')
    await page.click('#theme')
    expect(await text('#theme')).toBe('Theme: dark')
    expect(await ground()).not.toBe(light)
    await page.reload()
    await page.waitForSelector('html[data-theme=dark]')
    expect(await ground()).not.toBe(light)
    expect(problems).toEqual([])
  })

  test('stands still for those who ask for that', async () => {
    await open({ reducedMotion: 'reduce' })
    await page.waitForSelector('.ripple', { state: 'attached' })
    expect(await page.evaluate(() => document.getAnimations().length)).toBe(0)
  })

  test('can be used from the keyboard: the dialog takes the focus, Escape changes nothing and gives it back', async () => {
    await open()
    const requests: string[] = []
    page.on('request', (request) => request.method() === 'POST' && requests.push(request.url()))
    await page.keyboard.press('Tab')
    expect(await page.evaluate(() => document.activeElement?.className)).toBe('skip')
    await page.focus('.advice.turn button')
    await page.keyboard.press('Enter')
    expect(await text('#dialog-title')).toBe("Turn rate of 'fraud' 333 → 500?")
    expect(await page.inputValue('#field-perSecond')).toBe('500')
    expect(await page.evaluate(() => document.activeElement?.closest('dialog') !== null)).toBe(true)
    await page.keyboard.press('Escape')
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe("Set to 500… (rate of 'fraud')")
    expect(requests).toEqual([])
  })

  test('shows why a change was refused, and keeps the dialog open', async () => {
    await open()
    await page.route('**/control', (route) =>
      route.fulfill({
        status: 400,
        json: { error: { code: 'HG_OPTION_INVALID', message: 'expected 1 to 50,000 calls' } },
      }),
    )
    await page.click('#stages button:visible')
    await page.fill('#field-concurrency', '7')
    await page.click('#dialog-confirm')
    await page.waitForFunction(() => document.getElementById('dialog-problem')?.textContent !== '')
    expect(await text('#dialog-problem')).toBe('expected 1 to 50,000 calls')
    expect(await page.isVisible('#dialog')).toBe(true)
  })
})
