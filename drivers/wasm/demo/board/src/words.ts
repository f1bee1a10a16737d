// What is happening, in words for people: of a mutation what it does, of an item why it is where it is.

import type { Explanation, Item, OutboxSnapshot } from 'outbox-offline'

import type { Edit } from './mutations'
import { visits, type Status, type Visit } from './visits'

export const STATUS_WORDS: Record<Status, string> = {
  planned: 'Planned', onTheWay: 'On the way', onSite: 'On site', done: 'Done',
}

/** How it stands with an item: for its colour. */
export type Tone = 'busy' | 'waits' | 'trouble' | 'good'

export interface Said {
  text: string
  tone: Tone
}

const OFFLINE: Said = { text: 'Stored. Goes out when there is a network', tone: 'waits' }
const PAUSED: Said = { text: 'Stored. Goes out after you log in', tone: 'waits' }
const ELSEWHERE: Said = { text: 'Stored. Another tab sends it', tone: 'waits' }

/** The customer of a visit, as far as it is known. */
export function customerOf(id: string): string {
  return visits.get(id)?.customer ?? id
}

/** What a mutation does. */
export function mutationWords({ mutatorName, args }: Pick<Item, 'mutatorName' | 'args'>): string {
  const { id } = args as { id: string }
  switch (mutatorName) {
    case 'createVisit': return `New visit: ${(args as Visit).customer}`
    case 'moveVisit': return `${customerOf(id)}: ${STATUS_WORDS[(args as Visit).status]}`
    case 'editVisit': return `${customerOf(id)}: ${editWords(args as Edit)}`
    case 'deleteVisit': return `${(args as Visit).customer}: delete`
    default: return `${mutatorName} ${id}`
  }
}

function editWords({ id: _, ...edit }: Edit): string {
  const names = Object.keys(edit)
  if (names.length > 1 || (edit.assignee === undefined && edit.note === undefined)) return `edit ${names.join(', ')}`
  if (edit.note !== undefined) return 'note'
  return edit.assignee === '' ? 'nobody assigned' : `assign ${edit.assignee}`
}

/** Why an item is not at the office yet. `now` in ms: the time until the next try counts down. */
export function explainWords({ reason, words, until }: Explanation, item: Item, now: number, state: OutboxSnapshot): Said {
  switch (reason.kind) {
    case 'writing': return { text: 'Being stored on this device', tone: 'busy' }
    case 'claiming':
    case 'ready': return { text: 'About to be sent', tone: 'busy' }
    case 'inFlight': return { text: reason.attempt === 1 ? 'Sending' : `Sending, attempt ${reason.attempt}`, tone: 'busy' }
    case 'settling':
    case 'confirming': return { text: 'The office has it', tone: 'good' }
    case 'removing': return { text: 'Being taken back', tone: 'busy' }
    case 'backoff': return { text: `${failureWords(item)} Next try ${countdown(until, now)}`, tone: 'trouble' }
    case 'offline': return OFFLINE
    case 'paused': return PAUSED
    case 'behind': return { text: 'Stored. Goes out after the change before it', tone: 'waits' }
    case 'follower': return state.paused.length > 0 ? PAUSED : state.online ? ELSEWHERE : OFFLINE
    case 'concurrency': return { text: 'Stored. Its turn comes', tone: 'waits' }
    case 'parked': return { text: sentence(words), tone: 'trouble' }
    default: return { text: sentence(words), tone: 'waits' }
  }
}

function sentence(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1)
}

function failureWords({ lastError }: Item): string {
  if (lastError?.name === 'TransportError') return 'No answer from the office.'
  return lastError === undefined ? 'It did not work.' : lastError.message.replace(/[.:]?$/, '.')
}

function countdown(until: number | null, now: number): string {
  if (until === null || until <= now) return 'now'
  const seconds = Math.ceil((until - now) / 1_000)
  return seconds < 120 ? `in ${seconds}\u00a0s` : `in ${Math.round(seconds / 60)}\u00a0min`
}
