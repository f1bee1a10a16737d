// The default outbox of this page: the one that the functions without an outbox of their own speak of.

import type { Engine } from './engine.js'
import { StoppedError } from './errors.js'
import { Registry } from './registry.js'

class Defaults {
  /** Its mutators outlive it. */
  readonly registry = new Registry()
  /** Opens it: an entry point's way to load the wasm. */
  open: (() => Engine) | undefined
  private current: Engine | undefined
  private readonly watchers = new Set<() => void>()

  get engine(): Engine | undefined {
    return this.current
  }

  set engine(engine: Engine | undefined) {
    if (this.current === engine) return
    this.current = engine
    for (const changed of [...this.watchers]) changed()
  }

  /** Calls back when it is another, until the returned function is called. */
  watch(changed: () => void): () => void {
    this.watchers.add(changed)
    return () => this.watchers.delete(changed)
  }

  /** It, for a call: opened if it is not. */
  expect(): Engine {
    if (this.open === undefined) {
      throw new StoppedError('There is no outbox: call registerOfflineMutators() and startOfflineExecutor() first.')
    }
    return this.open()
  }
}

export const defaults: Defaults = /* @__PURE__ */ new Defaults()
