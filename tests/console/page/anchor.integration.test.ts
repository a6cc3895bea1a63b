/**
 * The console of the example as it really runs: `npm start` with a generator, an API and the pipeline as processes, the
 * page in a browser. It names the bottleneck, shows an API that was killed, changes what the engine does, and stays
 * unmoved by a page of another origin in the same browser.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import type { ConsoleTick } from '../../../src/console/documents.ts'
import type { Diagnosis } from '../../../src/model/diagnosis.ts'
import type { Status } from '../../../src/model/status.ts'
import { findBrowser, launch } from './browser.ts'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const chromium = findBrowser()
if (chromium === null && process.env['CI']) throw new Error('CI needs chromium on the path')

const TOKEN = 'token-of-the-page-test-0123456789abcdef'
/** For a machine that does much else at the same time. */
const PATIENCE_MS = 120_000

describe.skipIf(chromium === null)('the console of the example (needs chromium)', () => {
  let workspace = ''
  let launcher: ChildProcess
  let said = ''
  let origin = ''
  let browser: Browser
  let context: BrowserContext
  let page: Page
  let attacker: Server

  beforeAll(async () => {
    expect(existsSync(join(root, 'dist/console/page/console.js')), 'run `npm run build` first').toBe(true)
    workspace = mkdtempSync(join(tmpdir(), 'headgate-console-'))
    const started = join(root, 'examples/payment-enrichment/start.mjs')
    const args = [started, '--log', join(workspace, 'log'), '--errors', join(workspace, 'errors.log')]
    launcher = spawn(
      process.execPath,
      [...args, '--per-minute', '60000', '--burst-for', '10m', '--restart-after', '10m', '--console', '0'],
      { cwd: root, env: { ...process.env, HEADGATE_CONSOLE_TOKEN: TOKEN }, stdio: ['ignore', 'ignore', 'pipe'] },
    )
    launcher.stderr?.setEncoding('utf8').on('data', (text: string) => (said += text))
    origin = await vi.waitFor(
      () => {
        const found = /console: (http:\/\/[\d.]+:\d+)/.exec(said)
        if (!found) throw new Error(`no console yet:\n${said}`)
        return found[1] as string
      },
      { timeout: PATIENCE_MS, interval: 100 },
    )
    browser = await launch(chromium as string)
    context = await browser.newContext({ viewport: { width: 1360, height: 900 } })
    page = await context.newPage()
    page.setDefaultTimeout(PATIENCE_MS)
    await page.goto(`${origin}/#token=${TOKEN}`)
    await page.waitForSelector('html[data-line=live]')
  }, 2 * PATIENCE_MS)

  afterAll(async () => {
    await browser?.close()
    attacker?.close()
    if (launcher?.exitCode === null) {
      const ended = new Promise((resolve) => launcher.once('close', resolve))
      launcher.kill('SIGTERM')
      await ended
    }
    rmSync(workspace, { recursive: true, force: true })
  }, PATIENCE_MS)

  const ask = async <Answer>(path: string): Promise<Answer> => {
    const answer = await fetch(origin + path, { headers: { authorization: `Bearer ${TOKEN}` } })
    return (await answer.json()) as Answer
  }

  test('takes the token out of the address bar once it has been traded for a session', async () => {
    expect(page.url()).toBe(`${origin}/`)
    const cookies = await context.cookies()
    expect(cookies.map(({ httpOnly, sameSite }) => [httpOnly, sameSite])).toEqual([[true, 'Strict']])
  })

  test('names fraud as the bottleneck, in the canal and in the table', async () => {
    await page.waitForFunction(() => document.querySelector('.part.bottleneck .name')?.textContent === 'fraud')
    await page.waitForFunction(() =>
      document.querySelector('#stages tr:has(.mark.bottleneck) th')?.textContent?.startsWith('fraud'),
    )
    const { verdict } = await ask<Diagnosis>('/diagnosis')
    expect(verdict.bottleneck).toBe('fraud')
  })

  test('changes a limit of the engine, and writes it down', async () => {
    await page.locator('#stages tr', { hasText: 'fraud' }).first().locator('button').click()
    await page.fill('#field-concurrency', '11')
    await page.click('#dialog-confirm')
    await page.waitForSelector('#dialog', { state: 'hidden' })
    const limits = await ask<ConsoleTick['limits']>('/limits')
    expect(limits.stages['fraud']?.concurrency).toBe(11)
    await page.waitForFunction(() => document.getElementById('audit')?.textContent?.includes('fraud: concurrency 11'))
    await page.waitForFunction(() => document.getElementById('stages')?.textContent?.includes('at most 11 at once'))
    await vi.waitFor(
      async () => {
        const { stages } = await ask<Status>('/status')
        expect(stages.find(({ name }) => name === 'fraud')?.limit).toBeLessThanOrEqual(11)
      },
      { timeout: PATIENCE_MS },
    )
  })

  test('pauses and resumes', async () => {
    for (const [action, state] of [
      ['Pause', 'paused'],
      ['Resume', 'running'],
    ] as const) {
      await page.click(`#pause:has-text("${action}")`)
      await page.click('#dialog-confirm')
      await page.waitForFunction((wanted) => document.getElementById('state')?.textContent === wanted, state)
      expect((await ask<Status>('/status')).state).toBe(state)
    }
  })

  test('is not changed and not read by a page of another origin in the same browser', async () => {
    const attack = { action: 'stage', stage: 'fraud', concurrency: 1, confirm: 'fraud' }
    attacker = createServer((_, response) => {
      response.setHeader('content-type', 'text/html').end('<!doctype html><title>evil</title>')
    })
    await new Promise<void>((resolve) => attacker.listen(0, '127.0.0.1', resolve))
    const { port } = attacker.address() as AddressInfo
    const before = await ask<ConsoleTick['limits']>('/limits')
    // 127.0.0.1 is even the same site, so that the browser sends the cookie along; localhost is another one.
    for (const host of ['127.0.0.1', 'localhost']) {
      const evil = await context.newPage()
      await evil.goto(`http://${host}:${port}/`)
      const outcomes = await evil.evaluate(
        async ([target, body]) => {
          const tries = [
            fetch(`${target}/control`, { method: 'POST', mode: 'no-cors', credentials: 'include', body }),
            fetch(`${target}/control`, {
              method: 'POST',
              credentials: 'include',
              headers: { 'content-type': 'application/json' },
              body,
            }),
            fetch(`${target}/status`, { credentials: 'include' }),
          ]
          const read = await Promise.allSettled(tries)
          const form = document.createElement('form')
          form.method = 'POST'
          form.enctype = 'text/plain'
          form.action = `${target}/control`
          const field = document.createElement('input')
          // A form can be made to send JSON: the name and the value meet around the `=`.
          field.name = `${body.slice(0, -1)},"x":"`
          field.value = '"}'
          form.append(field)
          document.body.append(form)
          const frame = document.createElement('iframe')
          frame.name = 'sink'
          form.target = 'sink'
          document.body.append(frame)
          form.submit()
          await new Promise((resolve) => frame.addEventListener('load', resolve, { once: true }))
          return read.map((one) => (one.status === 'fulfilled' ? one.value.type : 'refused'))
        },
        [origin, JSON.stringify(attack)] as const,
      )
      expect(outcomes).toEqual(['refused', 'refused', 'refused'])
      await evil.close()
    }
    expect(await ask<ConsoleTick['limits']>('/limits')).toEqual(before)
    expect((await ask<Status>('/status')).state).toBe('running')
    // The same change, asked for with the token, is made: it was not the body that was at fault.
    const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' }
    const answer = await fetch(`${origin}/control`, { method: 'POST', headers, body: JSON.stringify(attack) })
    expect(answer.status).toBe(200)
    expect((await ask<ConsoleTick['limits']>('/limits')).stages['fraud']?.concurrency).toBe(1)
    await page.waitForFunction(() => document.querySelectorAll('#audit li').length === 4)
  })

  test('shows that the API was killed', async () => {
    const pid = Number(/fraud API pid (\d+)/.exec(said)?.[1])
    expect(pid).toBeGreaterThan(1)
    process.kill(pid, 'SIGKILL')
    // The stage says so as soon as its breaker opens, the verdict once it has been seen for a moment: `npm run bench --
    // console` prints how long that is.
    await page.waitForFunction(() => document.getElementById('stages')?.textContent?.includes('the downstream is down'))
    await page.waitForSelector('.part.closed')
    await page.waitForFunction(() =>
      document.getElementById('confidence')?.textContent?.startsWith('fraud: downstream is down'),
    )
    await page.waitForFunction(() =>
      document.getElementById('verdict-sentence')?.textContent?.includes("The downstream of 'fraud' cannot be reached"),
    )
    await page.waitForFunction(() => document.getElementById('health')?.textContent?.includes('stalled'))
  })
})
