// All that is known here of the inside of TanStack DB (0.15): overlays of a batch are drawn on copies of a collection's
// optimistic maps and published by one recompute, and changes of the base are seen beneath rows that overlays hide.
// `probe.ts` tries it on a collection of its own; if that fails, `plain.ts` is used instead.

import { inOrder, type Overlay, type Row } from './overlay.js'
import { Surface, type BaseListener, type Drawing } from './surface.js'
import type { DbCollection, DbMutation, DbTransaction, Key } from './types.js'

interface InnerTransaction extends DbTransaction {
  readonly collections: Set<unknown>
  readonly isPersisted: { resolve(value: unknown): void }
}

interface SyncTransaction {
  readonly committed: boolean
  readonly truncate?: boolean
  readonly operations: readonly { readonly key: Key }[]
}

/** A collection's `_state`. */
interface State {
  optimisticUpserts: Map<Key, unknown>
  optimisticDeletes: Set<Key>
  readonly heldOptimisticRows: ReadonlyMap<Key, { row?: unknown }>
  readonly transactions: { values(): Iterable<InnerTransaction> }
  readonly pendingSyncedTransactions: readonly SyncTransaction[]
  recomputeOptimisticState(isByUser?: boolean): void
  commitPendingTransactions(): void
  onTransactionStateChange(): void
  cleanup(): void
}

interface InnerCollection extends DbCollection {
  readonly _state: State
  readonly _sync: { startSync(): void }
}

/** The optimistic part of what a collection shows. */
interface Maps {
  readonly upserts: Map<Key, unknown>
  readonly deletes: Set<Key>
}

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
  surface: (collection, isOurs, onBase) => new InnerSurface(collection, isOurs, onBase),
  clear({ tx }) {
    if (tx !== undefined) tx.mutations.length = 0
  },
  retire(overlay, isCommitted) {
    const tx = overlay.tx as InnerTransaction | undefined
    if (tx?.state !== 'pending') return
    // As an empty commit does it, but without a recompute for each, and without `persisting`, which stops the sync.
    // The mutations of a commit stay: a collection holds them until a change that it has accepted can show.
    if (!isCommitted) tx.mutations.length = 0
    tx.setState('completed')
    tx.isPersisted.resolve(tx)
    tx.collections.clear()
  },
}

class InnerSurface extends Surface {
  private readonly state: State
  private readonly ends: (() => void)[]
  /** What is published, while a batch draws on copies. */
  private published: Maps | undefined
  /** The copies of a batch that goes on later. */
  private kept: Maps | undefined
  private isDue = false
  /** The collection was cleaned up, and has not been started again. */
  private isReset = false
  /** The transactions of others at the time, by the rows they have written to. */
  private others = new Map<Key, { tx: InnerTransaction; mutation: DbMutation }[]>()
  /** Overlays that ran over what others had written, and whose. */
  private readonly above = new Map<Overlay, InnerTransaction>()
  private readonly waiting = new Set<SyncTransaction>()

  constructor(collection: DbCollection, private readonly isOurs: (tx: object) => boolean, private readonly onBase: BaseListener) {
    super(collection)
    const { _state: state, _sync: sync } = collection as InnerCollection
    this.state = state
    this.ends = [
      wrap(state, 'recomputeOptimisticState', (before) => (isByUser) => this.recompute(before, isByUser)),
      wrap(state, 'commitPendingTransactions', (before) => () => this.commitPending(before)),
      wrap(state, 'onTransactionStateChange', (before) => () => {
        before.call(state)
        this.othersChanged()
      }),
      wrap(state, 'cleanup', (before) => () => {
        before.call(state)
        this.kept = undefined
        this.isReset = true
      }),
      wrap(sync, 'startSync', (before) => () => {
        before.call(sync)
        this.restarted()
      }),
    ]
  }

  open(): void {
    if (this.published !== undefined) return
    this.show()
    const { state } = this
    this.published = { upserts: state.optimisticUpserts, deletes: state.optimisticDeletes }
    const work = this.kept ?? { upserts: new Map(state.optimisticUpserts), deletes: new Set(state.optimisticDeletes) }
    this.kept = undefined
    this.use(work)
    this.others = new Map()
    for (const tx of state.transactions.values()) {
      if (this.isOurs(tx) || !isActive(tx)) continue
      for (const mutation of tx.mutations) {
        if (mutation.collection !== this.collection) continue
        this.others.set(mutation.key, [...(this.others.get(mutation.key) ?? []), { tx, mutation }])
      }
    }
  }

  redraw({ key, overlays }: Row): void {
    this.open()
    const { optimisticUpserts, optimisticDeletes, heldOptimisticRows } = this.state
    optimisticUpserts.delete(key)
    optimisticDeletes.delete(key)
    const held = heldOptimisticRows.get(key)
    if (held !== undefined) this.put(key, held.row)
    for (const overlay of overlays.size > 1 ? inOrder(overlays) : overlays) {
      for (const mutation of overlay.tx?.mutations ?? []) if (mutation.key === key) this.draw(mutation)
    }
    for (const { mutation } of this.others.get(key) ?? []) this.draw(mutation)
  }

  before(overlay: Overlay, { key }: Row): void {
    // Now, not within the batch: what it brings is to be published by itself.
    if (this.published === undefined) (this.collection as InnerCollection)._sync.startSync()
    this.open()
    const other = this.others.get(key)?.at(-1)
    if (other !== undefined) this.above.set(overlay, other.tx)
  }

  after(overlay: Overlay, row: Row): void {
    const mutation = overlay.tx?.mutations.find(({ key, collection }) => key === row.key && collection === this.collection)
    // An insert and a delete within one transaction cancel each other.
    if (mutation === undefined || this.others.has(row.key)) this.redraw(row)
    else this.draw(mutation)
  }

  isHeld(key: Key): boolean {
    return this.state.pendingSyncedTransactions.some(({ committed, operations }) => committed && operations.some((one) => one.key === key))
  }

  close(isDone: boolean): void {
    if (this.published === undefined) return
    const { optimisticUpserts: upserts, optimisticDeletes: deletes } = this.state
    this.use(this.published)
    this.published = undefined
    if (isDone) this.isDue = true
    else this.kept = { upserts, deletes }
  }

  show(): void {
    if (this.published !== undefined || !this.isDue) return
    this.state.recomputeOptimisticState(true)
  }

  release(): void {
    for (const end of this.ends) end()
  }

  /** Instead of the collection's own, which waits while a batch goes on. */
  private recompute(before: State['recomputeOptimisticState'], isByUser: boolean | undefined): void {
    if (this.published !== undefined) return
    this.isDue = false
    this.kept = undefined
    before.call(this.state, isByUser)
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
    this.kept = undefined
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
    const keys = new Set<Key>()
    for (const [overlay, tx] of this.above) {
      if (isActive(tx)) continue
      this.above.delete(overlay)
      for (const row of overlay.rows) if (row.surface === this) keys.add(row.key)
    }
    if (keys.size > 0) this.onBase(this, keys)
  }

  private draw({ type, key, modified, optimistic, collection }: DbMutation): void {
    if (optimistic && collection === this.collection) this.put(key, type === 'delete' ? undefined : modified)
  }

  private put(key: Key, row: unknown): void {
    const { optimisticUpserts, optimisticDeletes } = this.state
    if (row === undefined) {
      optimisticUpserts.delete(key)
      optimisticDeletes.add(key)
    } else {
      optimisticUpserts.set(key, row)
      optimisticDeletes.delete(key)
    }
  }

  private use({ upserts, deletes }: Maps): void {
    this.state.optimisticUpserts = upserts
    this.state.optimisticDeletes = deletes
  }
}

function isActive({ state }: InnerTransaction): boolean {
  return state === 'pending' || state === 'persisting'
}
