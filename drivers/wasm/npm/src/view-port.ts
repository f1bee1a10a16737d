// The seam between an outbox and a view layer: what shows the pending items in the app's own state (R22).

import type { OutboxEvent } from './events.js'
import type { OutboxSnapshot, PendingItem, ViewChange } from './types.js'

/** A view layer, such as `tanstackDb()` of `outbox-offline/tanstack-db`: given to the start as `view`. */
export interface OutboxView {
  /** Called at the start, before anything is loaded. What it throws, the start throws. */
  connect(source: ViewSource): ConnectedView
}

/** What a view layer is given. */
export interface ViewSource {
  /** As `Outbox.observe`. */
  observe(listener: (changes: readonly ViewChange[]) => void): () => void
  /** Runs the `optimistic` of the item's mutator; `undefined`: it has none, or is not registered. */
  optimistic(item: PendingItem, replay: boolean): (() => unknown) | undefined
  /** Calls back when a mutator is registered, also again (hot reload). */
  onRegistered(listener: (mutatorName: string) => void): () => void
  subscribe(listener: () => void): () => void
  getSnapshot(): Pick<OutboxSnapshot, 'online' | 'paused' | 'items'>
  tell(event: ViewEvent): void
}

/** What a view layer has to tell. */
export type ViewEvent = Extract<OutboxEvent, { type: 'optimisticFailed' | 'viewDegraded' }>

/** A view layer at work. */
export interface ConnectedView {
  /** Resolves when all it was told is shown; `undefined` if it is. The outbox's `ready` waits for it. */
  shown(): Promise<void> | undefined
  /** Takes everything back. */
  disconnect(): void
}
