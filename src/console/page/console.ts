/**
 * The page's beginning: opens the line to the pipeline and hands each look to the parts of the page. Nothing is kept
 * here but the last look; what stands on the page is always of one moment, and once the line is cut it says so.
 */
import type { ConsoleTick } from '../documents.ts'
import { CanalView } from './canal.ts'
import { canalOf } from './canal-model.ts'
import { makeChanges } from './changes.ts'
import { Charts, showChartTime } from './charts.ts'
import { Connection, type Line } from './connection.ts'
import { byId, set, write } from './dom.ts'
import { showHeadline, showProcess } from './headline.ts'
import { makeKnobs } from './knobs.ts'
import { auditWords, clock, showAudit, showLists } from './lists.ts'
import { makeOptions } from './options.ts'
import { definePatterns } from './patterns.ts'
import { showPlaces } from './places.ts'
import { makeLegend, makeStages } from './stages.ts'
import { makeTheme } from './theme.ts'
import { Timeline } from './timeline.ts'

definePatterns(byId<SVGSVGElement>('patterns'))
makeLegend()
const charts = new Charts()
const timeline = new Timeline()
const canal = new CanalView(byId('canal'))
const changes = makeChanges((entry) => write(byId('announcer'), `Done: ${auditWords(entry)}`))
const showKnobs = makeKnobs((knob) => changes.knob(knob))
const showStages = makeStages((stage) => changes.stage(stage))
makeOptions()
makeTheme(byId('theme'), () => charts.recolour())

function tick(look: ConsoleTick): void {
  const { status, diagnosis } = look
  showHeadline(status, diagnosis)
  canal.show(canalOf(status, diagnosis, look.limits.admission.records))
  showKnobs(diagnosis)
  showPlaces(diagnosis)
  showStages(status, diagnosis, look.limits)
  showLists(diagnosis)
  showProcess(diagnosis)
  showAudit(look.audit)
  changes.tick(look)
  if (look.sample) charts.add(look.sample)
  timeline.add(look.verdicts)
  timeline.show(charts.window())
  showChartTime(charts.latestMs, charts.samples)
}

function line(next: Line): void {
  const banner = byId('connection')
  const live = next.kind === 'live'
  changes.enable(live)
  set(document.documentElement, { 'data-line': next.kind })
  banner.hidden = live || next.kind === 'connecting'
  if (next.kind === 'lost')
    write(banner, `Disconnected since ${clock(next.sinceMs)}: everything below is as it was then. Trying again.`)
  if (next.kind === 'refused')
    write(
      banner,
      next.hadBeenLive
        ? 'The pipeline was started anew, and this page’s session has ended with the old one. Open the link that it printed.'
        : 'This page needs the token: open the link that the pipeline printed at its start.',
    )
  if (!live && next.kind !== 'connecting') write(byId('state'), 'disconnected')
}

const connection = new Connection({
  line,
  tick,
  history(history) {
    charts.replace(history)
    timeline.replace(history.verdicts)
  },
})
line({ kind: 'connecting' })
void connection.open()
// A new link in the same tab changes only what is behind the `#`.
addEventListener('hashchange', () => void connection.open())
