/**
 * Keeps secrets out of what people are shown: options that carry credentials are marked in their schema
 * (`credential`), and texts from elsewhere, errors above all, are searched for what looks like one: user and password
 * of a URL, bearer tokens, `password=…` and its kin. `shown-options.ts` and every text of the console go through here.
 */
import type { z } from 'zod'

export const MASK = '***'

/** Marks the schema of an option whose value is never shown, nor what is below it: by zod's `meta({ credential: true })`. */
export function credential<S extends z.ZodType>(schema: S): S {
  return schema.meta({ credential: true })
}

export function isCredential(schema: z.ZodType): boolean {
  return schema.meta()?.['credential'] === true
}

/** What an option of anybody's connector is called that carries one, where no schema says so. */
const NAMES =
  /pass(word|phrase)|pwd|secret|credential|api[-_]?key|private[-_]?key|authorization|^(token|pfx)$|[-_.a-z]Token$/i

/** `path`: names from the outermost in. */
export function soundsSecret(path: readonly string[]): boolean {
  return path.some((name) => NAMES.test(name)) || path.some((name, at) => name === 'key' && path[at - 1] === 'tls')
}

/** Cheap to ask, so that the expressions run only where one of them could match. */
const SUSPECT = /:\/\/[^\s/]*@|bearer|basic|passw|pwd|secret|token|api[-_]?key|credential|authorization|-----BEGIN/i

const FORMS: readonly (readonly [RegExp, string])[] = [
  [/(\b[a-z][a-z0-9+.-]*:\/\/)[^\s/@]*@/gi, `$1${MASK}@`],
  [/\b(bearer|basic)\s+[\w~+/.=-]{6,}/gi, `$1 ${MASK}`],
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g, MASK],
  [
    /((?:[\w-]*(?:passw(?:or)?d|pwd|secret|token|api[-_]?key|credentials?|authorization))["']?\s*[=:]\s*)(?:"[^"]*"|'[^']*'|[^\s,;&"'}]+)/gi,
    `$1${MASK}`,
  ],
]

export function mask(text: string): string {
  if (!SUSPECT.test(text)) return text
  return FORMS.reduce((masked, [form, instead]) => masked.replace(form, instead), text)
}
