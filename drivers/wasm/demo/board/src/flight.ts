// What the core does, noted as it happens, for the timeline: which state each item was in and from when to when, who
// led, when the network was gone. The flight recorder holds every input; this holds what can be seen of them.

import type { OutboxEvent, PendingItem, Reason } from 'outbox-offline'

import { outbox } from './outbox'
import { mutationWords } from './words'

/** The states of the simulator's viewer, in its colours. */
export type State = 'writing' | 'stored' | 'claiming' | 'inFlight' | 'backoff' | 'parked' | 'settling' | 'removing'

/** A stretch of time, in ms since 1970; `to` is null as long as it lasts. */
export interface Stretch {
  from: number
  to: number | null
}

export interface Span extends Stretch {
  state: State
}

/** One item's way through the outbox. */
export interface Track {
  id: string
  lane: string
  title: string
  spans: Span[]
  /** When attempts failed. */
  failed: number[]
  end: { at: number; kind: End } | null
}

export type End = 'committed' | 'dropped' | 'removed'

export interface Line {
  at: number
  text: string
  tone: 'good' | 'bad' | 'plain'
}

/** How long what has ended is kept, in ms. */
const KEPT = 180_000
/** How often states are looked at that change without word, in ms. */
const LOOK = 80
const MAX_ITEMS = 200
const MAX_LINES = 200

export const tracks = new Map<string, Track>()
export const bands: Record<'leading' | 'offline' | 'paused', Stretch[]> = { leading: [], offline: [], paused: [] }
/** Newest first; another array whenever there is a new line. */
export let lines: readonly Line[] = []
const readers = new Set<() => void>()
let timer: ReturnType<typeof setTimeout> | undefined

const STATES: Partial<Record<Reason['kind'], State>> = {
  writing: 'writing', claiming: 'claiming', inFlight: 'inFlight', backoff: 'backoff', parked: 'parked', settling: 'settling',
  confirming: 'settling', removing: 'removing',
}

/** Begins to take notes. */
export function follow(): void {
  outbox.subscribe(look)
  outbox.on(note)
  look()
}

export function watchLines(reader: () => void): () => void {
  readers.add(reader)
  return () => readers.delete(reader)
}

/** Looks at every item's state. */
function look(): void {
  const now = Date.now()
  const { items, leading, online, paused } = outbox.getSnapshot()
  turn(bands.leading, leading, now)
  turn(bands.offline, !online, now)
  turn(bands.paused, paused.length > 0, now)
  for (const item of items.slice(0, MAX_ITEMS)) see(item, now)
  const pending = new Set(items.map(({ id }) => id))
  for (const track of tracks.values()) {
    // Its event, which comes right after this, says how it ended; of one without an event nobody knows more.
    if (!pending.has(track.id) && track.end === null) queueMicrotask(() => end(track, 'committed', now))
    if (track.end !== null && track.end.at < now - KEPT) tracks.delete(track.id)
  }
  clearTimeout(timer)
  if (items.length > 0) timer = setTimeout(look, LOOK)
}

function see(item: PendingItem, now: number): void {
  const track = tracks.get(item.id)
    ?? { id: item.id, lane: laneOf(item), title: mutationWords(item), spans: [], failed: [], end: null }
  tracks.set(item.id, track)
  if (track.end !== null) return
  const kind = outbox.explain(item.id)?.reason.kind
  const state = (kind && STATES[kind]) ?? 'stored'
  const last = track.spans.at(-1)
  if (last?.state === state) return
  if (last !== undefined) last.to = now
  track.spans.push({ state, from: now, to: null })
}

function laneOf({ key }: PendingItem): string {
  return typeof key === 'string' ? key : key.join(' + ')
}

function turn(band: Stretch[], isOn: boolean, now: number): void {
  const last = band.at(-1)
  const wasOn = last !== undefined && last.to === null
  if (isOn && !wasOn) band.push({ from: now, to: null })
  if (!isOn && wasOn) last.to = now
  if (band[0]?.to && band[0].to < now - KEPT) band.shift()
}

function end(track: Track, kind: End, now: number): void {
  if (track.end !== null) return
  const last = track.spans.at(-1)
  if (last !== undefined) last.to = now
  track.end = { at: now, kind }
}

/** Notes an event. */
function note(event: OutboxEvent): void {
  const now = Date.now()
  const track = 'id' in event ? tracks.get(event.id) : undefined
  const title = track?.title ?? ('id' in event ? event.id.slice(0, 8) : '')
  switch (event.type) {
    case 'attemptFailed': {
      track?.failed.push(now)
      const wait = Math.max(0, Math.round((event.nextAttemptAt - now) / 100) / 10)
      say(`${title}: attempt ${event.attempt} failed (${event.error.message.replace(/\.$/, '')}). Again in ${wait} s`, 'bad')
      break
    }
    case 'resolved': {
      const { kind } = event.outcome
      if (kind === 'committed') say(`${title}: the office has it`, 'good')
      if (kind === 'dropped') say(`${title}: refused for good`, 'bad')
      break
    }
    case 'settled': {
      const { kind } = event.outcome
      if (track !== undefined) end(track, kind === 'dropped' || kind === 'committed' ? kind : 'removed', now)
      if (kind === 'removed') say(`${title}: taken back`, 'plain')
      break
    }
    case 'leading': say(event.leading ? 'this tab sends now' : 'this tab no longer sends', 'plain'); break
    case 'paused': say(event.reasons.length > 0 ? `paused: ${event.reasons.join(', ')}` : 'resumed', 'plain'); break
    case 'storageFailed': say(`storage: ${event.error.message}`, 'bad'); break
    case 'storageRecovered': say('storage works again', 'good'); break
    case 'stuck': say(`${title}: ${event.attempts} attempts so far`, 'bad'); break
    case 'parked': say(`${title}: parked`, 'bad'); break
    case 'optimisticFailed': say(`${title}: cannot be shown, ${String(event.error)}`, 'bad'); break
    case 'viewDegraded': say(`this TanStack DB is not known, its public calls are used: ${event.error.message}`, 'bad'); break
  }
}

function say(text: string, tone: Line['tone']): void {
  lines = [{ at: Date.now(), text, tone }, ...lines].slice(0, MAX_LINES)
  for (const reader of [...readers]) reader()
}
