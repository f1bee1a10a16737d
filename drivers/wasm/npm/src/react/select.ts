// A part of the outbox's state for one component: it is rendered again only when that part has changed. All parts are
// cut from the same snapshot, so that no two components show different states (no tearing).

import { useMemo, useSyncExternalStore } from 'react'
import { serverSnapshot } from '../snapshots.js'
import type { OutboxSnapshot, PendingItem } from '../types.js'
import type { Source } from './source.js'

/** A part of a snapshot. `isServer`: nothing may be asked besides. */
export type Select<T> = (snapshot: OutboxSnapshot, isServer: boolean) => T

/** The part that `select` cuts out, the same object while `isSame`; `select` is the same function while it means the same. */
export function useSelected<T>(source: Source, select: Select<T>, isSame: (a: T, b: T) => boolean): T {
  const [getSnapshot, getServerSnapshot] = useMemo(() => {
    let last: { snapshot: OutboxSnapshot; part: T } | undefined
    let server: { part: T } | undefined
    const now = () => {
      const snapshot = source.getSnapshot()
      if (last?.snapshot === snapshot) return last.part
      const part = select(snapshot, false)
      last = { snapshot, part: last !== undefined && isSame(last.part, part) ? last.part : part }
      return last.part
    }
    return [now, () => (server ??= { part: select(serverSnapshot, true) }).part]
  }, [source, select, isSame])
  return useSyncExternalStore(source.subscribe, getSnapshot, getServerSnapshot)
}

interface Index {
  readonly byId: ReadonlyMap<string, PendingItem>
  readonly byLane: ReadonlyMap<string, readonly PendingItem[]>
}

const indexes = new WeakMap<readonly PendingItem[], Index>()

/** The pending items by id and by lane; made once per list. */
export function indexOf(items: readonly PendingItem[]): Index {
  const known = indexes.get(items)
  if (known !== undefined) return known
  const byId = new Map<string, PendingItem>()
  const byLane = new Map<string, PendingItem[]>()
  for (const item of items) {
    byId.set(item.id, item)
    if (item.key === 'unknown') continue
    for (const lane of item.key) {
      const list = byLane.get(lane)
      if (list === undefined) byLane.set(lane, [item])
      else list.push(item)
    }
  }
  const index = { byId, byLane }
  indexes.set(items, index)
  return index
}
