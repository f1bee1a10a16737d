// Small hooks: the visits in order, what is happening to an item, whether the office is there, where the focus goes.

import { useLiveQuery } from '@tanstack/react-db'
import { useEffect, useReducer, useSyncExternalStore, type MouseEvent } from 'react'
import type { PendingItem } from 'outbox-offline'
import { useOutboxItem } from 'outbox-offline/react'

import { outbox } from '../outbox'
import { isFollowing, watchFollowing, type Visit, type visits } from '../visits'
import { explainWords, type Said } from '../words'

const TICK_MS = 500

/** All visits, by time of day. What is pending is in them. */
export function useVisits(collection: typeof visits): readonly Visit[] {
  const { data } = useLiveQuery((query) => query.from({ visit: collection })
    .orderBy(({ visit }) => visit.time).orderBy(({ visit }) => visit.id))
  return data
}

/** What is happening to an item, in words for people; it counts down. `core`: the core's own words. */
export function useSaid(item: PendingItem | undefined): (Said & { core: string }) | undefined {
  const { explanation } = useOutboxItem(item?.id)
  const [, tick] = useReducer((count: number) => count + 1, 0)
  const isCounting = explanation !== undefined && explanation.until !== null
  useEffect(() => {
    if (!isCounting) return
    const timer = setInterval(tick, TICK_MS)
    return () => clearInterval(timer)
  }, [isCounting])
  if (item === undefined) return undefined
  // What it waited for may be over without a word: then something else holds it back.
  const now = (isCounting ? outbox.explain(item.id) : undefined) ?? explanation
  return now && { ...explainWords(now, item, Date.now(), outbox.getSnapshot()), core: now.words }
}

/** Whether the office's changes arrive. */
export function useFollowing(): boolean {
  return useSyncExternalStore(watchFollowing, isFollowing)
}

/** For a button that goes away with what it is about: the focus stays with what is around it. */
export function leaving(act: () => Promise<unknown>): (event: MouseEvent<HTMLElement>) => void {
  return ({ currentTarget }) => {
    currentTarget.closest<HTMLElement>('article, section')?.focus()
    void act()
  }
}
