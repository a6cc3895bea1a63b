/**
 * Says what went wrong on a connection: which broker, what, and what to do. The adapter hands over whatever the library
 * threw. Invariant: only what an option can repair is `HG_OPTION_INVALID`; everything else may heal, and is
 * `HG_CONNECTION_LOST`.
 */
import { describe, HeadgateError } from '../../../model/errors.ts'
import type { Connecting } from './options.ts'

const UNSUPPORTED_SASL_MECHANISM = 33
const SASL_AUTHENTICATION_FAILED = 58

/** Codes of Node.js for a certificate or a protocol that does not fit: no retry helps. */
const TLS_CODE = /^(ERR_TLS_|ERR_SSL_|ERR_OSSL_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|HOSTNAME_MISMATCH|EPROTO$)/

/** A broker's answer to a token of OAUTHBEARER that it does not take. */
export class TokenRefused extends Error {
  /** `said`: the broker's JSON, from which its `status` is kept. */
  constructor(said: string) {
    const status = /"status"\s*:\s*"([\w .-]{1,100})"/.exec(said)?.[1]
    super(status ?? 'no reason given')
  }
}

export function connectionError(error: unknown, address: string, options: Connecting): HeadgateError {
  const chain = causesOf(error)
  const cause = chain.at(-1)
  const text = chain.map((each) => each.message).join(': ')
  const codes = chain.map((each) => String((each as NodeJS.ErrnoException).code ?? ''))
  const invalid = (what: string): HeadgateError =>
    new HeadgateError('HG_OPTION_INVALID', `The broker ${address} ${what}`, { cause: error })
  // The library wraps a connection that ends during authentication as an error of authentication, too.
  const refusals = chain.map((each) => (each as { apiCode?: number }).apiCode)
  if (refusals.includes(UNSUPPORTED_SASL_MECHANISM)) {
    return invalid(
      `does not offer ${options.sasl?.mechanism} on this listener: see its sasl.enabled.mechanisms, and whether the port is the one for SASL`,
    )
  }
  if (refusals.includes(SASL_AUTHENTICATION_FAILED)) {
    const who = options.sasl && 'username' in options.sasl ? ` for the user '${options.sasl.username}'` : ''
    return invalid(`refused the credentials${who} (${options.sasl?.mechanism}): check \`sasl\``)
  }
  const refused = chain.find((each) => each instanceof TokenRefused)
  if (refused !== undefined) {
    return invalid(
      `refused the token (${refused.message}): is it expired, or from another issuer or for another audience than the listener's? Check \`sasl.token\``,
    )
  }
  if (/ provider (threw|should)/.test(text)) {
    const name = options.sasl?.mechanism === 'OAUTHBEARER' ? 'token' : 'password'
    return lost(`The function \`sasl.${name}\` failed: ${describe(cause)} (for the broker ${address})`, error)
  }
  if (options.tls !== false && codes.some((code) => TLS_CODE.test(code))) {
    return invalid(
      `could not be trusted: ${describe(cause)}. Give the certificate it is signed with as \`tls.ca\`, and connect to a name that it is made out for`,
    )
  }
  if (options.tls !== false && /TLS|SSL/.test(text)) {
    return lost(
      `The broker ${address} did not answer in TLS: is the port a listener with TLS? (${describe(cause)})`,
      error,
    )
  }
  const isSilent = /closed|ECONNRESET|socket hang up|not Kafka's protocol/i.test(text)
  if (isSilent && (options.tls === false || options.sasl === undefined)) {
    const lacking = [options.tls === false ? '`tls`' : '', options.sasl === undefined ? '`sasl`' : '']
    const hint = `if its listener wants ${lacking.filter(Boolean).join(' or ')}, give it`
    return lost(`The broker ${address} ended the connection: ${hint}`, error)
  }
  return lost(`The broker ${address} cannot be reached: ${describe(cause ?? error)}`, error)
}

/** `isFirst`: no request has been answered on the connection yet. */
export function requestError(error: unknown, name: string, address: string, isFirst: boolean): HeadgateError {
  const cause = causesOf(error).at(-1)
  if (error instanceof HeadgateError) return error
  if (isFirst && cause?.message === 'Connection closed') {
    return lost(
      `The broker ${address} ended the connection at the first request: if its listener wants \`sasl\`, give it`,
      error,
    )
  }
  return lost(`The request ${name} to the broker ${address} was not answered: ${describe(cause ?? error)}`, error)
}

function lost(text: string, cause: unknown): HeadgateError {
  return new HeadgateError('HG_CONNECTION_LOST', text, { cause })
}

function causesOf(error: unknown): Error[] {
  const chain: Error[] = []
  for (let each = error; each instanceof Error && chain.length < 6; each = each.cause) {
    chain.push(each)
    const parts = (each as { errors?: unknown }).errors
    const first: unknown = Array.isArray(parts) ? parts[0] : undefined
    if (each.cause === undefined && first instanceof Error) chain.push(first)
  }
  return chain
}
