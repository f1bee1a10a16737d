// The outbox's side of a view layer: one at a time, from its start to the outbox's end.

import type { Engine } from './engine.js'
import { guarded } from './events.js'
import type { ConnectedView, OutboxView, ViewSource } from './view-port.js'

/** The view layer of an outbox. */
export class Views {
  private view: OutboxView | undefined
  private connected: ConnectedView | undefined

  constructor(private readonly engine: Engine) {}

  /** Shows the items by this one from now on. A start that gives another than the one before replaces it (hot reload). */
  use(view: OutboxView): void {
    if (this.view === view) return
    this.disconnect()
    this.connected = view.connect(sourceOf(this.engine))
    this.view = view
  }

  shown(): Promise<void> | undefined {
    return this.connected?.shown()
  }

  disconnect(): void {
    this.view = undefined
    const { connected } = this
    this.connected = undefined
    connected?.disconnect()
  }
}

function sourceOf(engine: Engine): ViewSource {
  return {
    observe: (listener) => engine.view.observe((changes) => guarded(() => listener(changes))),
    optimistic: (item, replay) => {
      const { id, seq, mutatorName, args } = item
      const mutator = engine.registry.find(mutatorName)
      return mutator?.optimistic && (() => mutator.optimistic?.(args, { id, seq, replay }))
    },
    onRegistered: (listener) => engine.registry.watch(listener),
    subscribe: (listener) => engine.subscribe(listener),
    getSnapshot: () => ({ online: engine.isOnline, paused: engine.paused, items: engine.view.items() }),
    tell: (event) => engine.tell(event),
  }
}
