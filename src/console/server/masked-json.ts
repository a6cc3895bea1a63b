/** What the console sends as JSON: with every text searched for secrets, whatever part of the pipeline it came from. */
import { mask } from '../../model/secrets.ts'

export function maskedJson(value: unknown): string {
  return JSON.stringify(value, (_name, part: unknown) => (typeof part === 'string' ? mask(part) : part))
}
