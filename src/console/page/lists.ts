/** The lists at the end of the page: partitions, hot keys, the last failures with their record's position, and the changes made. */
import type { Diagnosis, HotKey, PartitionDiagnosis } from '../../model/diagnosis.ts'
import type { FailureStatus } from '../../model/status.ts'
import type { AuditEntry } from '../documents.ts'
import { count, duration, percent, UNKNOWN } from '../terminal/figures.ts'
import { byId, element, keep, set, write } from './dom.ts'

const MOST_PARTITIONS = 24
const MOST_FAILURES = 12
const CLOCK = new Intl.DateTimeFormat(undefined, {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hour12: false,
})

export function clock(atMs: number): string {
  return CLOCK.format(atMs)
}

export function showLists({ partitions, hotKeys, lastFailures }: Diagnosis): void {
  const worst = partitions.toSorted(
    (one, other) => (other.oldestMs ?? 0) - (one.oldestMs ?? 0) || other.share - one.share,
  )
  const shown = worst
    .slice(0, MOST_PARTITIONS)
    .toSorted((one, other) => COLLATOR.compare(fullName(one), fullName(other)))
  const sources = new Set(partitions.map(({ source }) => source))
  const nameOf = sources.size === 1 ? ({ partition }: PartitionDiagnosis): string => partition : fullName
  const hidden = partitions.length - shown.length
  write(
    byId('partitions-sum'),
    hidden > 0 ? `${count(shown.length)} with the oldest records, of ${count(partitions.length)}` : '',
  )
  byId('no-partitions').hidden = shown.length > 0
  keep(byId('partitions'), shown, fullName, () => partitionRow(nameOf))

  byId('no-keys').hidden = hotKeys.length > 0
  keep(byId('keys'), hotKeys, ({ source, key }) => `${source} ${key}`, keyRow)

  const failures = lastFailures.slice(0, MOST_FAILURES)
  byId('no-failures').hidden = failures.length > 0
  keep(
    byId('failures'),
    failures,
    ({ source, partition, offset, stage, atMs }) => `${source} ${partition} ${offset} ${stage} ${atMs}`,
    failureRow,
  )
}

const COLLATOR = new Intl.Collator('en', { numeric: true })

function fullName({ source, partition }: { readonly source: string; readonly partition: string }): string {
  return partition.startsWith(source) ? partition : `${source} ${partition}`
}

function partitionRow(nameOf: (partition: PartitionDiagnosis) => string): {
  node: Element
  update: (partition: PartitionDiagnosis) => void
} {
  const name = element('th', { scope: 'row' })
  const [bar, share] = [element('i'), element('span')]
  const cells = Array.from({ length: 5 }, () => element('td', { class: 'number' }))
  const level = element('span', { class: 'level', 'aria-hidden': 'true' }, bar)
  return {
    node: element('tr', {}, name, element('td', { class: 'of' }, level, share), ...cells),
    update(one) {
      write(name, nameOf(one))
      bar.style.width = `${Math.min(100, one.share * 100)}%`
      write(share, percent(one.share))
      const texts = [
        count(one.lagRecords),
        count(one.queuedRecords),
        count(one.uncommittedRecords),
        one.oldestMs === null ? UNKNOWN : String(one.watermark),
        one.oldestMs === null ? UNKNOWN : duration(one.oldestMs),
      ]
      for (const [index, cell] of cells.entries()) write(cell, texts[index] as string)
    },
  }
}

function keyRow(): { node: Element; update: (key: HotKey) => void } {
  const [name, share, bar] = [element('b'), element('span', { class: 'number' }), element('i')]
  return {
    node: element('li', {}, name, share, element('span', { class: 'level', 'aria-hidden': 'true' }, bar)),
    update(one) {
      write(name, one.key)
      write(share, `${percent(one.share)} of ${one.source}`)
      bar.style.width = `${Math.min(100, one.share * 100)}%`
    },
  }
}

function failureRow(): { node: Element; update: (failure: FailureStatus) => void } {
  const [at, position, code, text] = [element('time'), element('b'), element('code'), element('span')]
  return {
    node: element('li', {}, at, element('span', {}, position, ' ', code, ' ', text)),
    update(one) {
      write(at, clock(one.atMs))
      write(position, `${fullName(one)} @ ${one.offset}`)
      write(code, `${one.stage} ${one.code}`)
      write(text, one.message)
    },
  }
}

export function showAudit(audit: readonly AuditEntry[]): void {
  byId('no-audit').hidden = audit.length > 0
  keep(
    byId('audit'),
    audit,
    ({ atMs, action, change, by }) => `${atMs} ${action} ${change} ${by}`,
    () => {
      const [at, what, by] = [element('time'), element('b'), element('span')]
      return {
        node: element('li', {}, at, element('span', {}, what, ' ', by)),
        update(entry: AuditEntry) {
          write(at, clock(entry.atMs))
          write(what, auditWords(entry))
          write(by, entry.change ? `was ${entry.before} · by the ${entry.by}` : `by the ${entry.by}`)
          set(at, { datetime: new Date(entry.atMs).toISOString() })
        },
      }
    },
  )
}

export function auditWords({ action, stage, change }: AuditEntry): string {
  if (action === 'stage') return `${stage}: ${change}`
  return action === 'admission' ? `gate: ${change}` : action
}
