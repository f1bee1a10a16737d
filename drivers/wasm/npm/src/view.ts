// The optimistic view's list (R22): the pending items in order, as this tab knows them. It holds what the core says,
// before that what is still on its way to the core, and after that what `confirmed` still holds.

import type { CoreItem, CoreOutcome, CorePlace, CoreViewChange } from './core.js'
import { guarded } from './events.js'
import type { Item, Outcome, PendingItem, ViewChange } from './types.js'

interface Entry {
  item: PendingItem
  /** `undefined`: on its way to the core, or being confirmed. */
  place: CorePlace | undefined
  /** Among those without a seq. */
  order: number
  /** Told by a core that is gone, and not yet by the one that follows it. */
  isStale: boolean
}

/** What the list asks of the outbox. */
export interface ViewHost {
  isSending(id: string): boolean
  /** Runs the mutator's `confirmed`, if there is one, and calls back when the item may leave. */
  confirm(item: Item, outcome: Outcome): Promise<void> | undefined
  /** Something changed. */
  changed(): void
}

/** The pending items. */
export class PendingList {
  private readonly entries = new Map<string, Entry>()
  /** The entries in order. */
  private readonly sorted: Entry[] = []
  /** Ids by place. */
  private readonly ids = new Map<number, string>()
  private readonly listeners = new Set<(changes: readonly ViewChange[]) => void>()
  private changes: ViewChange[] = []
  private ordered: readonly PendingItem[] | undefined
  private count = 0
  private isTelling = false
  /** Until the first load is done, what the core tells was stored before. */
  isReplaying = true

  constructor(private readonly host: ViewHost) {}

  /** In order: by seq, those being written last. The same array until something changes. */
  items(): readonly PendingItem[] {
    this.ordered ??= this.sorted.map((entry) => entry.item)
    return this.ordered
  }

  find(id: string): PendingItem | undefined {
    return this.entries.get(id)?.item
  }

  /** Tells each batch of changes, the present items first, until the returned function is called. */
  observe(listener: (changes: readonly ViewChange[]) => void): () => void {
    this.flush()
    this.listeners.add(listener)
    guarded(() => listener(this.items().map((item) => ({ kind: 'set', item, replay: item.seq !== null }))))
    return () => this.listeners.delete(listener)
  }

  /** Tells what has changed since the last time; what a listener changes comes after that, for all of them. */
  flush(): void {
    if (this.isTelling) return
    this.isTelling = true
    while (this.changes.length > 0) {
      const { changes } = this
      this.changes = []
      for (const listener of [...this.listeners]) guarded(() => listener(changes))
    }
    this.isTelling = false
  }

  /** An item is on its way to the core (R1: it shows in the calling turn). */
  addEarly(item: Item): void {
    this.set({ item: { ...item, state: 'writing' }, place: undefined, order: ++this.count, isStale: false }, false)
  }

  /** The item did not get to the core. */
  dropEarly(id: string): void {
    const entry = this.entries.get(id)
    if (entry?.place === undefined && entry?.item.state === 'writing') this.leave(entry, undefined)
  }

  /** The core is replaced by another: what the new one does not tell again is gone. */
  markStale(): void {
    this.ids.clear()
    for (const entry of this.sorted) entry.isStale = entry.place !== undefined
  }

  dropStale(): void {
    for (const entry of [...this.sorted]) if (entry.isStale) this.leave(entry, { kind: 'gone' })
  }

  apply(change: CoreViewChange): void {
    if ('set' in change) {
      const { place, item } = change.set
      const before = this.entries.get(item.id)
      const order = before?.place === undefined && before !== undefined ? before.order : ++this.count
      this.ids.set(placeKey(place), item.id)
      // What is still being written is new, also while the rest is loaded.
      const replay = before === undefined && this.isReplaying && 'stored' in place
      this.set({ item: this.publicItem(item, place), place, order, isStale: false }, replay)
    } else if ('moved' in change) {
      const entry = this.take(change.moved.from)
      if (entry === undefined) return
      entry.place = change.moved.to
      this.ids.set(placeKey(change.moved.to), entry.item.id)
      this.update(entry, { seq: seqOf(change.moved.to), state: this.stateOf(entry.item.id, change.moved.to) })
    } else {
      this.left(this.take(change.left.place), change.left.outcome)
    }
  }

  /** The item is being sent, or no longer is. */
  refresh(id: string, news: Partial<Pick<PendingItem, 'retryCount' | 'nextAttemptAt' | 'lastError'>> = {}): void {
    const entry = this.entries.get(id)
    if (entry === undefined || entry.item.state === 'confirming') return
    this.update(entry, { ...news, state: this.stateOf(id, entry.place) })
  }

  clear(): void {
    for (const entry of [...this.sorted]) this.leave(entry, undefined)
    this.ids.clear()
  }

  private left(entry: Entry | undefined, coreOutcome: CoreOutcome | null): void {
    if (entry === undefined) return
    const outcome = coreOutcome === null ? undefined : outcomeOf(coreOutcome)
    const confirming = outcome === undefined ? undefined : this.host.confirm(entry.item, outcome)
    if (confirming === undefined) return this.leave(entry, outcome)
    entry.place = undefined
    this.update(entry, { state: 'confirming' })
    const { id } = entry.item
    void confirming.then(() => {
      if (this.entries.get(id) === entry) this.leave(entry, outcome)
    })
  }

  /** What is at the place, unless another item of its id has been told since: another tab may have stored that. */
  private take(place: CorePlace): Entry | undefined {
    const at = placeKey(place)
    const id = this.ids.get(at)
    this.ids.delete(at)
    const entry = id === undefined ? undefined : this.entries.get(id)
    return entry?.place !== undefined && placeKey(entry.place) === at ? entry : undefined
  }

  private set(entry: Entry, replay: boolean): void {
    entry.item = Object.freeze(entry.item)
    const before = this.entries.get(entry.item.id)
    if (before !== undefined) this.unsort(before)
    this.entries.set(entry.item.id, entry)
    this.sort(entry)
    this.record({ kind: 'set', item: entry.item, replay })
  }

  private update(entry: Entry, news: Partial<PendingItem>): void {
    const names = Object.keys(news) as (keyof PendingItem)[]
    if (names.every((name) => entry.item[name] === news[name])) return
    const isPlaced = news.seq !== undefined && news.seq !== entry.item.seq
    if (isPlaced) this.unsort(entry)
    entry.item = Object.freeze({ ...entry.item, ...news })
    if (isPlaced) {
      this.sort(entry)
      return this.record({ kind: 'set', item: entry.item, replay: false })
    }
    this.ordered = undefined
    this.host.changed()
  }

  private leave(entry: Entry, outcome: Outcome | undefined): void {
    this.unsort(entry)
    this.entries.delete(entry.item.id)
    this.record({ kind: 'left', item: entry.item, outcome })
  }

  private record(change: ViewChange): void {
    this.ordered = undefined
    if (this.listeners.size > 0) this.changes.push(change)
    this.host.changed()
  }

  private sort(entry: Entry): void {
    const at = this.indexOf(entry)
    if (at === this.sorted.length) this.sorted.push(entry)
    else this.sorted.splice(at, 0, entry)
  }

  /** Takes the entry out of the order, where it must be as long as it is known. */
  private unsort(entry: Entry): void {
    const at = this.indexOf(entry)
    if (this.sorted[at] !== entry) throw new Error(`the view has lost the place of ${entry.item.id}; this is a bug of outbox-offline`)
    if (at === 0) this.sorted.shift()
    else this.sorted.splice(at, 1)
  }

  /** Where the entry is, or where it belongs: mostly at an end. */
  private indexOf(entry: Entry): number {
    const { sorted } = this
    const last = sorted.at(-1)
    if (last === undefined || inOrder(last, entry) < 0) return sorted.length
    if (sorted[0] === entry) return 0
    let [low, high] = [0, sorted.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (inOrder(sorted[middle] as Entry, entry) < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  private publicItem(item: CoreItem, place: CorePlace): PendingItem {
    return { ...publicItem(item), seq: seqOf(place), state: this.stateOf(item.id, place) }
  }

  private stateOf(id: string, place: CorePlace | undefined): PendingItem['state'] {
    if (place === undefined || 'writing' in place) return 'writing'
    return this.host.isSending(id) ? 'sending' : 'waiting'
  }
}

/** The item without what is the core's own. */
export function publicItem(item: CoreItem): Item {
  const { claimed: _claimed, barrier: _barrier, rewrites: _rewrites, ...rest } = item
  return rest
}

export function outcomeOf(outcome: CoreOutcome): Outcome {
  if (typeof outcome === 'string') return { kind: outcome }
  if ('committed' in outcome) return { kind: 'committed', result: outcome.committed.result as never }
  if ('dropped' in outcome) return { kind: 'dropped', error: outcome.dropped.error }
  return { kind: 'squashed', into: outcome.squashed.into }
}

/** Negative for those being written: both count from 0 or 1. */
const placeKey = (place: CorePlace) => 'stored' in place ? place.stored : -1 - place.writing
const seqOf = (place: CorePlace) => 'stored' in place ? place.stored : null

function inOrder(a: Entry, b: Entry): number {
  const first = a.item.seq ?? Infinity
  const second = b.item.seq ?? Infinity
  return first === second ? a.order - b.order : first - second
}
