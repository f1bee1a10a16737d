// Overlays drawn with the public calls of TanStack DB alone: for builds whose inside is not the one we know. Each write
// is published by itself, which costs time with thousands of pending items, and changes of the base beneath a row that
// an overlay hides show only when its items are run again or settle.

import { Surface, type BaseListener, type Drawing } from './surface.js'
import type { DbCollection, Key } from './types.js'

interface Subscribable {
  get?(key: Key): unknown
  subscribeChanges?(listener: (changes: readonly { readonly key: Key }[]) => void): { unsubscribe(): void }
}

/** From the outside. */
export const plain: Drawing = {
  surface: (collection, _isOurs, onBase) => new PlainSurface(collection, onBase),
  clear(overlay) {
    overlay.tx?.rollback()
    overlay.tx = undefined
  },
  retire({ tx }) {
    if (tx?.state !== 'pending') return
    // Empty, so that it is committed at once: `persisting` would stop the sync.
    tx.mutations.length = 0
    void tx.commit()
  },
}

class PlainSurface extends Surface {
  private isOpen = false
  private subscription: { unsubscribe(): void } | undefined

  constructor(collection: DbCollection, private readonly onBase: BaseListener) {
    super(collection)
  }

  /** As it shows: without the inside, nobody knows what lies beneath. */
  base(key: Key): unknown {
    return (this.collection as Subscribable).get?.(key)
  }

  watch(): void {
    this.subscription ??= (this.collection as Subscribable).subscribeChanges?.((changes) => {
      if (!this.isOpen) this.onBase(this, new Set(changes.map(({ key }) => key)))
    })
  }

  open(): void {
    this.isOpen = true
  }

  redraw(): void {}

  before(): void {
    this.open()
    // Only once there is something to watch: a subscription starts the sync, and keeps the collection.
    this.watch()
  }

  after(): void {}

  isHeld(): boolean {
    return false
  }

  close(): void {}

  show(): void {
    this.isOpen = false
  }

  release(): void {
    this.subscription?.unsubscribe()
  }
}
