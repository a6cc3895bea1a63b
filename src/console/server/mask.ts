/**
 * Keeps secrets off the console. Options are never shown; what could carry a secret is text from elsewhere, errors above
 * all: user and password in a URL, bearer tokens, `password=…` and its kin. Every text of every answer goes through here.
 */

const MASK = '***'

/** Cheap to ask, so that the expressions run only where one of them could match. */
const SUSPECT = /:\/\/[^\s/]*@|bearer|basic|passw|pwd|secret|token|api[-_]?key|credential|authorization/i

const FORMS: readonly (readonly [RegExp, string])[] = [
  [/(\b[a-z][a-z0-9+.-]*:\/\/)[^\s/@]*@/gi, `$1${MASK}@`],
  [/\b(bearer|basic)\s+[\w~+/.=-]{6,}/gi, `$1 ${MASK}`],
  [
    /((?:[\w-]*(?:passw(?:or)?d|pwd|secret|token|api[-_]?key|credentials?|authorization))["']?\s*[=:]\s*)(?:"[^"]*"|'[^']*'|[^\s,;&"'}]+)/gi,
    `$1${MASK}`,
  ],
]

export function mask(text: string): string {
  if (!SUSPECT.test(text)) return text
  return FORMS.reduce((masked, [form, instead]) => masked.replace(form, instead), text)
}

/** As JSON, with every text masked. */
export function maskedJson(value: unknown): string {
  return JSON.stringify(value, (_name, part: unknown) => (typeof part === 'string' ? mask(part) : part))
}
