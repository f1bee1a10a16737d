// The page's network, with a switch. `fetch` says which client this is, so that the trouble that the panel makes is
// this browser's alone; and while the network is cut in any tab, every request of every tab fails as it does in a tunnel.

import type { OnlineDetector } from 'outbox-offline'

const CUT = 'network-cut'
const CLIENT = 'demo-client'

const client = localStorage.getItem(CLIENT) ?? crypto.randomUUID()
localStorage.setItem(CLIENT, client)

const { fetch: realFetch } = globalThis
const listeners = new Set<() => void>()
/** Aborted when the network is cut: what is under way fails, too. */
let line = new AbortController()
if (isCut()) line.abort()

export function isCut(): boolean {
  return localStorage.getItem(CUT) !== null
}

/** Cuts the network, or mends it, in all tabs. */
export function cut(isWanted: boolean): void {
  if (isWanted) localStorage.setItem(CUT, 'yes')
  else localStorage.removeItem(CUT)
  changed()
}

/** Whether requests have a chance. */
export function isOnline(): boolean {
  return navigator.onLine && !isCut()
}

/** Calls back when that may have changed, until the returned function is called. */
export function watchNetwork(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

/** For the outbox: what the page knows about its network. */
export const detector: OnlineDetector = {
  isOnline,
  subscribe: (listener) => watchNetwork(() => listener(isOnline())),
}

function changed(): void {
  if (isCut()) line.abort()
  else if (line.signal.aborted) line = new AbortController()
  for (const listener of [...listeners]) listener()
}

/** The panel's own line to the office, which is never cut. */
export function direct(input: string, init?: RequestInit): Promise<Response> {
  return realFetch(named(new Request(input, init)))
}

function named(request: Request): Request {
  request.headers.set(CLIENT, client)
  return request
}

globalThis.fetch = async (input, init) => {
  const request = named(new Request(input, init))
  const { signal } = line
  if (signal.aborted) throw new TypeError('Failed to fetch: the network is cut')
  const lost = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(new TypeError('Failed to fetch: the network was cut')), { once: true })
  })
  return Promise.race([realFetch(request), lost])
}

addEventListener('online', changed)
addEventListener('offline', changed)
// Another tab's switch.
addEventListener('storage', ({ key }) => {
  if (key === CUT) changed()
})
