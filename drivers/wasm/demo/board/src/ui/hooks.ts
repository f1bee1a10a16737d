// Small hooks: the visits in order, a clock that ticks only while somebody counts down, whether the office is there.

import { useLiveQuery } from '@tanstack/react-db'
import { useEffect, useState, useSyncExternalStore } from 'react'

import { isFollowing, watchFollowing, type Visit, type visits } from '../visits'

/** All visits, by time of day. What is pending is in them. */
export function useVisits(collection: typeof visits): readonly Visit[] {
  const { data } = useLiveQuery((query) => query.from({ visit: collection })
    .orderBy(({ visit }) => visit.time).orderBy(({ visit }) => visit.id))
  return data
}

/** Now, in ms: renewed every second until `until` is over. */
export function useNow(until: number | null | undefined): number {
  const [now, setNow] = useState(Date.now)
  useEffect(() => {
    if (until === null || until === undefined) return
    setNow(Date.now())
    const timer = setInterval(() => {
      setNow(Date.now())
      if (Date.now() > until) clearInterval(timer)
    }, 500)
    return () => clearInterval(timer)
  }, [until])
  return now
}

/** Whether the office's changes arrive. */
export function useFollowing(): boolean {
  return useSyncExternalStore(watchFollowing, isFollowing)
}
