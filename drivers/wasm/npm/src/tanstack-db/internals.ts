// All that is known here of the inside of TanStack DB (0.15): overlays are drawn into a collection's optimistic maps
// directly, and a batch of them is published by one recompute that sees only the rows of the batch: its cost does not grow
// with what else is pending. Changes of the base are seen beneath rows that overlays hide.
// `probe.ts` tries it on a collection of its own; if that fails, `plain.ts` is used instead.

import { inOrder, type Overlay, type Row } from './overlay.js'
import { Surface, type BaseListener, type Drawing } from './surface.js'
import type { DbCollection, DbMutation, DbTransaction, Key } from './types.js'

interface InnerTransaction extends DbTransaction {
  readonly id: string
  readonly collections: Set<InnerCollection>
  readonly isPersisted: { resolve(value: unknown): void }
}

interface SyncTransaction {
  readonly committed: boolean
  readonly truncate?: boolean
  readonly operations: readonly { readonly key: Key }[]
}

/** Transactions by id, sorted by their age. */
interface Transactions {
  values(): Iterable<Pick<InnerTransaction, 'state' | 'mutations'>>
  [Symbol.iterator](): Iterator<[string, Pick<InnerTransaction, 'state' | 'mutations'>]>
  delete(id: string): boolean
}

/** A collection's `_state`. */
interface State {
  optimisticUpserts: Map<Key, unknown>
  optimisticDeletes: Set<Key>
  pendingLocalChanges: Set<Key>
  transactions: Transactions
  size: number
  readonly syncedData: { get(key: Key): unknown }
  readonly heldOptimisticRows: ReadonlyMap<Key, { row?: unknown }>
  readonly pendingSyncedTransactions: readonly SyncTransaction[]
  /** Whether a persistence beneath the collection holds an accepted change of the row back; not in every version. */
  readonly isDeferredSyncKey?: (key: Key) => boolean
  has(key: Key): boolean
  trackTransaction(tx: InnerTransaction): boolean
  recomputeOptimisticState(isByUser?: boolean): void
  commitPendingTransactions(): void
  onTransactionStateChange(): void
  cleanup(): void
}

interface InnerCollection extends DbCollection {
  readonly _state: State
  readonly _sync: { startSync(): void }
  _deferPublication(): { publish(): void }
}

/** What the optimistic maps say of a row: it is so, or it is deleted (`DELETED`), or nothing (`undefined`). */
type Drawn = unknown
const DELETED = Symbol('deleted')

/** Replaces a method of an object by another that is given the one before; the returned function puts that back. */
function wrap<T extends object, N extends keyof T>(target: T, name: N, around: (before: T[N]) => T[N]): () => void {
  const own = Object.getOwnPropertyDescriptor(target, name)
  const before = target[name]
  const wrapped = around(before)
  target[name] = wrapped
  return () => {
    // Somebody else has wrapped it since: theirs stays, and ours goes on beneath it.
    if (target[name] !== wrapped) return
    if (own === undefined) delete target[name]
    else Object.defineProperty(target, name, own)
  }
}

/** From the inside. */
export const inner: Drawing = {
  surface: (collection, isOurs, onBase) => new InnerSurface(collection as InnerCollection, isOurs, onBase),
  clear({ tx }) {
    if (tx !== undefined) tx.mutations.length = 0
  },
  retire(overlay, isCommitted) {
    const tx = overlay.tx as InnerTransaction | undefined
    if (tx?.state !== 'pending') return
    // As an empty commit does it, but without a recompute for each, and without `persisting`, which stops the sync.
    // A collection that has accepted a change and cannot show it yet holds the rows of a commit until it can.
    const isHeld = isCommitted && tx.mutations.some(({ collection, key }) => holds((collection as InnerCollection)._state, key))
    if (!isHeld) tx.mutations.length = 0
    if (!isHeld) for (const { _state } of tx.collections) _state.transactions.delete(tx.id)
    tx.setState('completed')
    tx.isPersisted.resolve(tx)
    tx.collections.clear()
  },
}

/** A collection, drawn on from the inside. */
class InnerSurface extends Surface {
  private readonly state: State
  private readonly ends: (() => void)[]
  private recomputeAll!: State['recomputeOptimisticState']
  private isOpen = false
  private isDue = false
  /** What is published of the rows that this batch has changed. */
  private readonly published = new Map<Key, Drawn>()
  /** What has been drawn of them, while the batch waits to go on or to be published. */
  private drawn: Map<Key, Drawn> | undefined
  /** The collection was cleaned up, and has not been started again. */
  private isReset = false
  /** What others have written, and not yet committed or taken back. */
  private readonly others = new Set<InnerTransaction>()
  /** Overlays that ran over what others had written. */
  private readonly above = new Map<Overlay, InnerTransaction>()
  private readonly waiting = new Set<SyncTransaction>()

  constructor(private readonly inner: InnerCollection, isOurs: (tx: object) => boolean, private readonly onBase: BaseListener) {
    super(inner)
    const { _state: state, _sync: sync } = inner
    this.state = state
    for (const tx of state.transactions.values()) if (!isOurs(tx)) this.others.add(tx as InnerTransaction)
    this.ends = [
      wrap(state, 'trackTransaction', (before) => (tx) => {
        if (!isOurs(tx)) this.others.add(tx)
        return before.call(state, tx)
      }),
      wrap(state, 'recomputeOptimisticState', (before) => {
        this.recomputeAll = before
        return (isByUser) => this.recompute(isByUser)
      }),
      wrap(state, 'commitPendingTransactions', (before) => () => this.commitPending(before)),
      wrap(state, 'onTransactionStateChange', (before) => () => {
        before.call(state)
        this.othersChanged()
      }),
      wrap(state, 'cleanup', (before) => () => {
        before.call(state)
        this.forget()
        this.isReset = true
      }),
      wrap(sync, 'startSync', (before) => () => {
        before.call(sync)
        this.restarted()
      }),
    ]
  }

  base(key: Key): unknown {
    return this.state.syncedData.get(key)
  }

  watch(): void {}

  open(): void {
    if (this.isOpen) return
    this.show()
    this.isOpen = true
    // A batch goes on.
    for (const [key, drawn] of this.drawn ?? []) this.put(key, drawn)
    this.drawn = undefined
  }

  redraw({ key, overlays }: Row): void {
    this.open()
    this.set(key, undefined)
    const held = this.state.heldOptimisticRows.get(key)
    if (held !== undefined) this.set(key, held.row ?? DELETED)
    for (const { tx } of overlays.size > 1 ? inOrder(overlays) : overlays) if (tx !== undefined) this.draw(key, tx)
    for (const tx of this.others) if (isActive(tx)) this.draw(key, tx)
  }

  before(overlay: Overlay, { key }: Row): void {
    // Now, not within the batch: what it brings is to be published by itself.
    if (!this.isOpen) this.inner._sync.startSync()
    this.open()
    for (const tx of this.others) if (isActive(tx) && this.writes(tx, key)) this.above.set(overlay, tx)
  }

  after(overlay: Overlay, row: Row): void {
    this.redraw(row)
    // What runs sees what it has written, also where others go over it.
    if (overlay.tx !== undefined && this.others.size > 0) this.draw(row.key, overlay.tx)
  }

  isHeld(key: Key): boolean {
    return holds(this.state, key)
  }

  close(isDone: boolean, most: number): void {
    if (!this.isOpen) return
    this.isOpen = false
    this.isDue ||= isDone || this.published.size >= most
    this.drawn = new Map()
    for (const tx of this.others) {
      if (isActive(tx)) for (const { key } of tx.mutations) if (this.published.has(key)) this.draw(key, tx)
    }
    for (const [key, published] of this.published) {
      this.drawn.set(key, this.drawnOf(key))
      this.put(key, published)
    }
  }

  show(): void {
    const { drawn } = this
    if (this.isOpen || !this.isDue || drawn === undefined) return
    if (this.mustLookAtAll()) return this.state.recomputeOptimisticState(true)
    const published = new Map(this.published)
    this.forget()
    this.publish(published, drawn)
  }

  release(): void {
    for (const end of this.ends) end()
  }

  /** Instead of the collection's own, which draws and publishes all that is pending: not in the middle of a batch. */
  private recompute(isByUser: boolean | undefined): void {
    if (this.isOpen) return
    this.forget()
    this.recomputeAll.call(this.state, isByUser)
  }

  /** Something is held, or is to be held by what has just been committed. */
  private mustLookAtAll(): boolean {
    const { state } = this
    return state.heldOptimisticRows.size > 0 || [...this.published.keys()].some((key) => holds(state, key))
  }

  /** One recompute over these rows alone; who reads the collection when it is told of them finds it whole. */
  private publish(published: ReadonlyMap<Key, Drawn>, drawn: ReadonlyMap<Key, Drawn>): void {
    const { state, inner } = this
    const { optimisticUpserts, optimisticDeletes, pendingLocalChanges, transactions, size } = state
    const deferral = inner._deferPublication()
    const countVisible = () => [...drawn.keys()].filter((key) => state.has(key)).length
    let growth = 0
    try {
      Object.assign(state, { optimisticUpserts: new Map(), optimisticDeletes: new Set(), pendingLocalChanges: new Set() })
      for (const [key, row] of published) this.put(key, row)
      state.transactions = oneTransaction(inner, drawn)
      growth -= countVisible()
      this.recomputeAll.call(state, true)
      growth += countVisible()
      for (const key of drawn.keys()) {
        if (state.pendingLocalChanges.has(key)) pendingLocalChanges.add(key)
        else pendingLocalChanges.delete(key)
      }
    } finally {
      Object.assign(state, { optimisticUpserts, optimisticDeletes, pendingLocalChanges, transactions, size: size + growth })
      for (const [key, row] of drawn) this.put(key, row)
      deferral.publish()
    }
  }

  private commitPending(before: State['commitPendingTransactions']): void {
    const { state, waiting } = this
    for (const tx of state.pendingSyncedTransactions) if (tx.committed) waiting.add(tx)
    try {
      before.call(state)
    } finally {
      const left = new Set(state.pendingSyncedTransactions)
      const applied = [...waiting].filter((tx) => !left.has(tx))
      for (const tx of applied) waiting.delete(tx)
      if (applied.length > 0) this.baseChanged(applied)
    }
  }

  private baseChanged(applied: readonly SyncTransaction[]): void {
    // It has drawn and published all that is pending by itself.
    this.forget()
    if (this.isReset || applied.some((tx) => tx.truncate === true)) {
      this.isReset = false
      return this.onBase(this, 'all')
    }
    this.onBase(this, new Set(applied.flatMap((tx) => tx.operations.map(({ key }) => key))))
  }

  private restarted(): void {
    if (!this.isReset) return
    this.isReset = false
    this.onBase(this, 'all')
  }

  /** What somebody else wrote, and overlays ran over, has been committed or taken back. */
  private othersChanged(): void {
    for (const tx of this.others) if (!isActive(tx)) this.others.delete(tx)
    const keys = new Set<Key>()
    for (const [overlay, tx] of this.above) {
      if (isActive(tx)) continue
      this.above.delete(overlay)
      for (const row of overlay.rows) if (row.surface === this) keys.add(row.key)
    }
    if (keys.size > 0) this.onBase(this, keys)
  }

  private forget(): void {
    this.isDue = false
    this.drawn = undefined
    this.published.clear()
  }

  private writes({ mutations }: DbTransaction, key: Key): boolean {
    return mutations.some((mutation) => mutation.key === key && mutation.collection === this.collection)
  }

  private draw(key: Key, { mutations }: DbTransaction): void {
    for (const { type, key: written, modified, optimistic, collection } of mutations) {
      if (written === key && optimistic && collection === this.collection) this.set(key, type === 'delete' ? DELETED : modified)
    }
  }

  /** Draws, and keeps what was there before. */
  private set(key: Key, drawn: Drawn): void {
    if (!this.published.has(key)) this.published.set(key, this.drawnOf(key))
    this.put(key, drawn)
  }

  private drawnOf(key: Key): Drawn {
    const { optimisticUpserts, optimisticDeletes } = this.state
    return optimisticDeletes.has(key) ? DELETED : optimisticUpserts.get(key)
  }

  private put(key: Key, drawn: Drawn): void {
    const { optimisticUpserts, optimisticDeletes } = this.state
    if (drawn === DELETED) optimisticDeletes.add(key)
    else optimisticDeletes.delete(key)
    if (drawn === DELETED || drawn === undefined) optimisticUpserts.delete(key)
    else optimisticUpserts.set(key, drawn)
  }
}

/** A transaction that does what has been drawn, alone. */
function oneTransaction(collection: InnerCollection, drawn: ReadonlyMap<Key, Drawn>): Transactions {
  const mutations: DbMutation[] = []
  for (const [key, row] of drawn) {
    if (row === undefined) continue
    const type = row === DELETED ? 'delete' : 'update'
    mutations.push({ type, key, modified: row, optimistic: true, collection })
  }
  const tx = { state: 'pending', mutations }
  return new Map([['batch', tx]])
}

/** Whether the collection has accepted a change of the row that it cannot show yet. */
function holds({ pendingSyncedTransactions, isDeferredSyncKey }: State, key: Key): boolean {
  return isDeferredSyncKey?.(key) === true
    || pendingSyncedTransactions.some(({ committed, operations }) => committed && operations.some((one) => one.key === key))
}

function isActive({ state }: DbTransaction): boolean {
  return state === 'pending' || state === 'persisting'
}
