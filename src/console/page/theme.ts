/** Light or dark: as the system has it, until the button says otherwise; remembered by the browser, for this page alone. */
import { set, write } from './dom.ts'

const THEMES = ['system', 'light', 'dark'] as const
type Theme = (typeof THEMES)[number]
const KEY = 'headgate-theme'

/** `changed` is called whenever the colours became others. */
export function makeTheme(button: HTMLElement, changed: () => void): void {
  let theme: Theme = remembered()
  const apply = (): void => {
    set(document.documentElement, { 'data-theme': theme === 'system' ? null : theme })
    write(button, `Theme: ${theme}`)
    changed()
  }
  button.addEventListener('click', () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] as Theme
    try {
      localStorage.setItem(KEY, theme)
    } catch {
      // A browser that keeps nothing forgets the theme as well.
    }
    apply()
  })
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', changed)
  apply()
}

function remembered(): Theme {
  try {
    const kept = localStorage.getItem(KEY)
    return THEMES.find((theme) => theme === kept) ?? 'system'
  } catch {
    return 'system'
  }
}
