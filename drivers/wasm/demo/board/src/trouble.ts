// The trouble that the panel makes. What the office is asked for, it does to this browser alone.

import { useSyncExternalStore } from 'react'

import { LOGIN } from './mutations'
import { direct } from './network'
import { outbox } from './outbox'

/** How long after something happened the office is asked what it received, in ms. */
const ASK_MS = 150

/** As the office takes it. */
export interface Trouble {
  delayMs: number
  dropReplies: boolean
  /** Seconds. */
  retryAfter: number | null
  /** A visit. */
  refuse: string | null
  loggedOut: boolean
}

/** What the office received from this browser. */
export interface Tally {
  arrived: number
  effects: number
  repeats: number
}

interface State {
  trouble: Trouble
  tally: Tally
  /** Whether the office could be asked. */
  isKnown: boolean
}

let state: State = {
  trouble: { delayMs: 0, dropReplies: false, retryAfter: null, refuse: null, loggedOut: false },
  tally: { arrived: 0, effects: 0, repeats: 0 },
  isKnown: false,
}
const listeners = new Set<() => void>()

function set(news: Partial<State>): void {
  state = { ...state, ...news }
  for (const listener of [...listeners]) listener()
}

export function useTrouble(): State {
  return useSyncExternalStore(subscribe, () => state)
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

/** Wishes so far, and those under way: what the office said of its trouble before it took one is old. */
const wishes = { made: 0, underWay: 0 }

/** Asks the office what it received; it may not be reachable. */
export async function ask(): Promise<void> {
  const { made, underWay } = wishes
  try {
    const response = await direct('/trouble')
    if (!response.ok) return
    const { trouble, tally } = await response.json() as Pick<State, 'trouble' | 'tally'>
    const isOld = underWay > 0 || made !== wishes.made
    set({ tally, isKnown: true, ...isOld ? {} : { trouble } })
  } catch {
    set({ isKnown: false })
  }
}

let asking: ReturnType<typeof setTimeout> | undefined
outbox.on(({ type }) => {
  if (type !== 'attemptFailed' && type !== 'settled') return
  clearTimeout(asking)
  asking = setTimeout(() => void ask(), ASK_MS)
})

/** Asks for trouble. */
export async function make(news: Partial<Trouble>): Promise<void> {
  const before = state.trouble
  const trouble = { ...before, ...news }
  set({ trouble })
  wishes.made += 1
  wishes.underWay += 1
  const headers = { 'content-type': 'application/json' }
  try {
    await direct('/trouble', { method: 'PUT', headers, body: JSON.stringify(trouble) })
  } catch {
    set({ trouble: before })
  } finally {
    wishes.underWay -= 1
  }
  await ask()
}

/** A new login: what was paused goes on. */
export async function logIn(): Promise<boolean> {
  try {
    const response = await fetch('/login', { method: 'POST' })
    if (!response.ok) return false
  } catch {
    return false
  }
  await outbox.resume(LOGIN)
  await ask()
  return true
}

let isCrashing = false
for (const type of ['pagehide', 'visibilitychange', 'beforeunload', 'freeze'] as const) {
  // Registered before the outbox's own: a page that crashes tells nobody.
  addEventListener(type, (event) => { if (isCrashing) event.stopImmediatePropagation() }, { capture: true })
}

/** Ends this page in mid-flight: what it was writing or sending breaks off, and none of its handlers runs. */
export function crash(): void {
  isCrashing = true
  location.replace('/crashed.html')
}
