// The state for views: one immutable object, the same until something changes.

import type { CoreItem } from './core.js'
import type { Engine } from './engine.js'
import type { FailureRecord, OutboxSnapshot } from './types.js'
import { publicItem } from './view.js'

const none: readonly never[] = Object.freeze([])

/** What a server renders, and what a page shows before anything is opened. */
export const serverSnapshot: OutboxSnapshot = Object.freeze({
  status: 'inert', error: undefined, items: none, failures: none, online: true, leading: false, paused: none,
})

/** The snapshots of one outbox. */
export class Snapshots {
  private latest: OutboxSnapshot | undefined
  private isOld = true
  private failuresText = '[]'
  private failureRecords: readonly FailureRecord[] = none
  private areFailuresOld = true

  constructor(private readonly engine: Engine) {
    engine.failuresChanged = () => this.failuresChanged()
    engine.beforeFlush = () => { this.isOld = true }
    engine.listeners.add((event) => {
      if (event.type === 'settled' || event.type === 'failureEvicted') this.failuresChanged()
    })
  }

  now(): OutboxSnapshot {
    if (this.isOld || this.latest === undefined) {
      this.isOld = false
      this.latest = this.same(this.build())
    }
    return this.latest
  }

  failures(): readonly FailureRecord[] {
    const text = this.areFailuresOld ? this.engine.session?.core.failures() : undefined
    if (text === undefined) return this.failureRecords
    this.areFailuresOld = !this.engine.isReady
    if (text !== this.failuresText) {
      this.failuresText = text
      const records = JSON.parse(text) as (FailureRecord & { item: CoreItem })[]
      this.failureRecords = Object.freeze(records.map((record) => Object.freeze({ ...record, item: publicItem(record.item) })))
    }
    return this.failureRecords
  }

  failuresChanged(): void {
    this.areFailuresOld = true
    this.engine.changed()
  }

  private build(): OutboxSnapshot {
    const { engine } = this
    if (engine.mode === 'inert') return serverSnapshot
    return Object.freeze({
      status: statusOf(engine),
      error: engine.error,
      items: engine.view.items(),
      failures: this.failures(),
      online: engine.isOnline,
      leading: engine.leading,
      paused: engine.paused,
    })
  }

  /** The one before, if nothing differs. */
  private same(built: OutboxSnapshot): OutboxSnapshot {
    const { latest } = this
    if (latest === undefined) return built
    const names = Object.keys(built) as (keyof OutboxSnapshot)[]
    return names.every((name) => built[name] === latest[name]) ? latest : built
  }
}

function statusOf({ mode, isReady, error }: Engine): OutboxSnapshot['status'] {
  if (mode === 'idle' || mode === 'stopped' || mode === 'inert') return mode
  if (mode === 'live' && isReady) return 'ready'
  return error === undefined ? 'starting' : 'failed'
}
