// What must hold at the server, whatever happened to the browser (R1, R3, R6, R21, R26).
import type { Arrival, Server } from '../support/server.ts'

/** A write's text says where it came from: `session.tab.number`, and its key. */
export interface Origin {
  key: string
  /** Browsers follow one another: what an earlier one stored goes out earlier. */
  session: number
  /** Of one tab's writes of one key each waits for the one before. */
  tab: number
  number: number
}

export const textOf = ({ key, session, tab, number }: Origin): string => `${key} ${session} ${tab} ${number}`

export function originOf(text: string): Origin {
  const [key = '', session, tab, number] = text.split(' ')
  return { key, session: Number(session), tab: Number(tab), number: Number(number) }
}

/** Everything that is wrong; empty if all is well. To be asked when all is drained. */
export function violations(server: Server, acknowledged: Iterable<string>): string[] {
  return [...lost(server, acknowledged), ...doubled(server), ...outOfOrder(server.effects), ...ahead(server.arrivals), ...manyKeys(server)]
}

/** Durability (R1): what was acknowledged has taken effect. */
function lost({ took }: Server, acknowledged: Iterable<string>): string[] {
  const known = new Set(took)
  return [...acknowledged].filter((text) => !known.has(text)).map((text) => `lost: ${text}`)
}

/** Exactly once at a keyed server (R21). */
function doubled({ took }: Server): string[] {
  const seen = new Set<string>()
  return took.filter((text) => seen.has(text) || !seen.add(text)).map((text) => `took effect twice: ${text}`)
}

/** One idempotency key for life (R21). */
function manyKeys({ arrivals }: Server): string[] {
  const keys = new Map<string, string | undefined>()
  for (const { text, idempotencyKey } of arrivals) if (!keys.has(text)) keys.set(text, idempotencyKey)
  return arrivals.filter(({ text, idempotencyKey }) => idempotencyKey === undefined || keys.get(text) !== idempotencyKey)
    .map(({ text }) => `another idempotency key, or none: ${text}`)
}

/** Creation order per key (R3, R6). */
function outOfOrder(effects: readonly Arrival[]): string[] {
  const found: string[] = []
  const sessions = new Map<string, number>()
  const numbers = new Map<string, number>()
  for (const { text } of effects) {
    const { key, session, tab, number } = originOf(text)
    const stream = `${key} ${session} ${tab}`
    if (session < (sessions.get(key) ?? 0)) found.push(`after one of a later session: ${text}`)
    if (number <= (numbers.get(stream) ?? -1)) found.push(`out of order: ${text}`)
    sessions.set(key, Math.max(session, sessions.get(key) ?? 0))
    numbers.set(stream, number)
  }
  return found
}

/** No write is sent while an earlier one of its key has not been answered (R6). */
function ahead(arrivals: readonly Arrival[]): string[] {
  const newest = new Map<string, number>()
  const found: string[] = []
  for (const { text } of arrivals) {
    const { key, session, tab, number } = originOf(text)
    const stream = `${key} ${session} ${tab}`
    const last = newest.get(stream) ?? -1
    // Sent again, once a later one was sent: two have sent at the same time.
    if (number < last) found.push(`sent again after its successor: ${text}`)
    newest.set(stream, Math.max(last, number))
  }
  return found
}
