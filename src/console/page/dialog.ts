/**
 * Asks before anything is changed: what, from what to what, and what it means. The dialog stays open with the server's
 * own words when a change was refused. The browser's `dialog` keeps the focus inside and gives it back.
 */
import { byId, element, fill, set, write } from './dom.ts'

export interface Field {
  readonly name: string
  readonly label: string
  readonly unit: string
  /** Null where none is set. */
  readonly value: number | null
  readonly least: number
  /** Above 1 the figure has no fractions. */
  readonly step: number | 'any'
}

export interface Question {
  readonly title: string
  readonly text: string
  readonly confirm: string
  /** `danger` where it cannot be taken back. */
  readonly tone: 'strong' | 'danger'
  readonly fields: readonly Field[]
  /** Given the fields that differ from before; what it throws is shown. */
  apply(changed: Readonly<Record<string, number>>): Promise<void>
}

export function ask(question: Question): void {
  const dialog = byId<HTMLDialogElement>('dialog')
  const form = byId<HTMLFormElement>('dialog-form')
  const problem = byId('dialog-problem')
  const confirm = byId<HTMLButtonElement>('dialog-confirm')
  write(byId('dialog-title'), question.title)
  write(byId('dialog-text'), question.text)
  write(problem, '')
  write(confirm, question.confirm)
  set(confirm, { class: question.tone })
  confirm.disabled = false
  const inputs = question.fields.map(fieldOf)
  fill(byId('dialog-fields'), ...inputs.map(({ label }) => label))

  byId('dialog-cancel').onclick = () => dialog.close()
  form.onsubmit = (event) => {
    event.preventDefault()
    const changed = changedOf(inputs)
    if (question.fields.length > 0 && Object.keys(changed).length === 0) {
      write(problem, 'Nothing is different yet: change a figure, or cancel.')
      return
    }
    confirm.disabled = true
    question.apply(changed).then(
      () => dialog.close(),
      (thrown: unknown) => {
        confirm.disabled = false
        write(problem, thrown instanceof Error ? thrown.message : String(thrown))
      },
    )
  }
  dialog.showModal()
  ;(inputs[0]?.input ?? confirm).focus()
  inputs[0]?.input.select()
}

interface Input {
  readonly field: Field
  readonly input: HTMLInputElement
  readonly label: HTMLLabelElement
}

function fieldOf(field: Field): Input {
  const { name, value, least, step } = field
  const input = element('input', {
    type: 'number',
    name,
    id: `field-${name}`,
    min: least,
    step,
    value: value === null ? '' : value,
    placeholder: 'none',
    autocomplete: 'off',
  })
  return {
    field,
    input,
    label: element(
      'label',
      { for: `field-${name}` },
      element('span', {}, field.label),
      input,
      element('small', {}, field.unit),
    ),
  }
}

function changedOf(inputs: readonly Input[]): Record<string, number> {
  return Object.fromEntries(
    inputs
      .filter(({ field, input }) => input.value !== '' && input.valueAsNumber !== field.value)
      .map(({ field, input }) => [field.name, input.valueAsNumber]),
  )
}
