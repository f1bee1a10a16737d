// Notices loads that bring failure records: the core has no event for those that another tab retried or dismissed.

import { realTime } from '../options.js'
import type { OutboxStorage, Snapshot } from './types.js'

/** The same store; `changed` is called after the core has got the answer. */
export function noticing(storage: OutboxStorage, changed: () => void): OutboxStorage {
  const noticed = (snapshot: Snapshot): Snapshot => {
    if (snapshot.failures !== undefined) realTime.after(0, changed)
    return snapshot
  }
  return {
    open: (name) => storage.open(name),
    acquire: async () => noticed(await storage.acquire()),
    load: async (fence, scope) => noticed(await storage.load(fence, scope)),
    persist: (fence, writes) => storage.persist(fence, writes),
    close: () => storage.close(),
  }
}
