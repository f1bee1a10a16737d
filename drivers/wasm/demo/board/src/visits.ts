// The visits as the office knows them: a TanStack DB collection that is kept in step by server-sent events. What is
// pending is not in here; the outbox lays it on top.

import { createCollection } from '@tanstack/react-db'

import { isOnline, watchNetwork } from './network'

export const STATUSES = ['planned', 'onTheWay', 'onSite', 'done'] as const
export type Status = (typeof STATUSES)[number]

export interface Visit {
  id: string
  customer: string
  task: string
  /** Such as `08:30`. */
  time: string
  /** Empty: nobody yet. */
  assignee: string
  status: Status
  note: string
}

/** One change as the office numbers it: an answer to a write, and an event, are both this. */
export interface Change {
  seq: number
  id: string
  /** `null`: deleted. */
  visit: Visit | null
}

interface Snapshot {
  seq: number
  visits: Visit[]
}

/** What is known of a visit, and as of which change: an older one that comes late is not applied. */
interface Known {
  seq: number
  visit: Visit | null
}

/** How the office's answers come into the collection. */
interface Sync {
  begin(): void
  write(message: { type: 'insert' | 'update' | 'delete'; value: Visit }): void
  commit(): void
  markReady(): void
}

const KEPT = 'visits'
const known = new Map<string, Known>()
let office = ''
let sync: Sync | undefined
let isConnected = false
const listeners = new Set<() => void>()

export const visits = createCollection<Visit, string>({
  id: 'visits',
  getKey: (visit) => visit.id,
  gcTime: 0,
  sync: {
    sync: (params) => {
      sync = params as unknown as Sync
      known.clear()
      const changes = kept()
      apply(changes)
      // What was there on the last visit shows at once, without a network too.
      if (changes.length > 0) params.markReady()
      return follow()
    },
  },
})

/** Whether the office's events arrive. */
export function isFollowing(): boolean {
  return isConnected
}

export function watchFollowing(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

/** Brings changes into the collection in one step; those that are known already do nothing. */
export function apply(changes: readonly Change[]): void {
  const news = changes.filter(({ id, seq }) => seq > (known.get(id)?.seq ?? 0))
  if (news.length === 0 || sync === undefined) return
  sync.begin()
  for (const { id, seq, visit } of news) {
    const before = known.get(id)?.visit ?? null
    known.set(id, { seq, visit })
    if (visit !== null) sync.write({ type: before === null ? 'insert' : 'update', value: visit })
    else if (before !== null) sync.write({ type: 'delete', value: before })
  }
  sync.commit()
  keep()
}

/** Everything: what is not in it was deleted. */
function applySnapshot({ seq, visits }: Snapshot): void {
  const there = new Set(visits.map(({ id }) => id))
  const gone = [...known.keys()].filter((id) => !there.has(id))
  apply([...visits.map((visit) => ({ seq, id: visit.id, visit })), ...gone.map((id) => ({ seq, id, visit: null }))])
}

/**
 * Follows the office as long as there is a network and somebody looks: a browser opens six connections to a server and no
 * more, for all its tabs. After a lost connection the browser says by itself where it left off.
 */
function follow(): () => void {
  let events: EventSource | undefined
  const connect = () => {
    if (!isOnline() || document.hidden) {
      events?.close()
      events = undefined
      if (!document.hidden) connected(false)
    } else if (events === undefined || events.readyState === EventSource.CLOSED) {
      events = listen()
    }
  }
  const unwatch = watchNetwork(connect)
  document.addEventListener('visibilitychange', connect)
  // An event stream that an answer of the wrong kind has ended does not come again by itself.
  const again = setInterval(connect, 5_000)
  connect()
  return () => {
    unwatch()
    document.removeEventListener('visibilitychange', connect)
    clearInterval(again)
    events?.close()
  }
}

function listen(): EventSource {
  const events = new EventSource('/changes')
  events.addEventListener('open', () => connected(true))
  events.addEventListener('error', () => connected(false))
  events.addEventListener('snapshot', ({ data, lastEventId }: MessageEvent<string>) => {
    const [name = ''] = lastEventId.split(':')
    // The numbers of another database say nothing in this one.
    if (name !== office) for (const [id, { visit }] of known) known.set(id, { seq: 0, visit })
    office = name
    applySnapshot(JSON.parse(data) as Snapshot)
    sync?.markReady()
  })
  events.addEventListener('change', ({ data }: MessageEvent<string>) => apply([JSON.parse(data) as Change]))
  return events
}

function connected(isNow: boolean): void {
  if (isConnected === isNow) return
  isConnected = isNow
  for (const listener of [...listeners]) listener()
}

function keep(): void {
  const changes = [...known].map(([id, { seq, visit }]) => ({ id, seq, visit }))
  localStorage.setItem(KEPT, JSON.stringify({ office, changes }))
}

function kept(): Change[] {
  const text = localStorage.getItem(KEPT)
  if (text === null) return []
  const { office: name, changes } = JSON.parse(text) as { office: string; changes: Change[] }
  office = name
  return changes
}
