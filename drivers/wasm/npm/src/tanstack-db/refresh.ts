// While the outbox drains after a reconnect, collections that refetch are asked to wait (`deferDataRefresh`): an answer
// from before the last write would take rows back that have just been confirmed.

import type { ViewSource } from '../view-port.js'
import type { DbCollection } from './types.js'

/** Shorter than `confirmed` may take: it may wait for such a refetch. */
const MAX_MS = 4_000

/** Watches for reconnects, until the returned function is called. */
export function deferRefreshes(source: ViewSource, collections: () => Iterable<DbCollection>): () => void {
  let wasOnline = source.getSnapshot().online
  let barrier: { ids: Set<string>; end(): void } | undefined
  const isDraining = (ids: ReadonlySet<string>) => {
    const { online, paused, items } = source.getSnapshot()
    return online && paused.length === 0 && items.some(({ id, state }) => state !== 'confirming' && ids.has(id))
  }
  const unsubscribe = source.subscribe(() => {
    const { online, items } = source.getSnapshot()
    if (barrier !== undefined && !isDraining(barrier.ids)) barrier.end()
    const isBack = online && !wasOnline
    wasOnline = online
    if (!isBack || barrier !== undefined) return
    const ids = new Set(items.map(({ id }) => id))
    if (isDraining(ids)) barrier = { ids, end: raise([...collections()], () => { barrier = undefined }) }
  })
  return () => {
    unsubscribe()
    barrier?.end()
  }
}

/** Makes the collections wait until the returned function is called, or `MAX_MS` have gone by. */
function raise(collections: readonly DbCollection[], ended: () => void): () => void {
  let resolve!: () => void
  const promise = new Promise<void>((done) => { resolve = done })
  const deferred = collections.filter((collection) => !collection.deferDataRefresh)
  for (const collection of deferred) collection.deferDataRefresh = promise
  const end = () => {
    clearTimeout(timer)
    for (const collection of deferred) if (collection.deferDataRefresh === promise) collection.deferDataRefresh = null
    resolve()
    ended()
  }
  const timer = setTimeout(end, MAX_MS)
  return end
}
