// A view layer of one's own, and the declarations of the TanStack DB entry without TanStack DB.

import { createOutbox, type ConnectedView, type OutboxView, type PendingItem, type ViewSource } from 'outbox-offline'
import type { TanstackDb, TanstackDbOptions } from 'outbox-offline/tanstack-db'

const items = new Map<string, PendingItem>()
const view: OutboxView = {
  connect(source: ViewSource): ConnectedView {
    const end = source.observe((changes) => {
      for (const change of changes) {
        if (change.kind === 'set') items.set(change.item.id, change.item)
        else items.delete(change.item.id)
      }
    })
    return { shown: () => undefined, disconnect: end }
  },
}
createOutbox({ mutators: {}, view })
declare const db: TanstackDb
declare const options: TanstackDbOptions
createOutbox({ mutators: {}, view: db })
void options.collections
