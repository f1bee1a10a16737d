// The storage interface: what `storage` may be, for stores of one's own.

import { must } from '../errors.js'

/** What a leader's request must match exactly, else it is refused as `fenced` (R27). */
export interface Fence {
  /** The store's random id, made when the store is made: 32 hex digits. */
  readonly store: string
  readonly epoch: number
}

/** What to read. */
export type Scope =
  | { readonly kind: 'full' }
  /** What changed after `change`: rows put since, rows above `through`, rows gone since. A full answer is always right. */
  | { readonly kind: 'since'; readonly change: number; readonly through: number }
  | { readonly kind: 'items'; readonly seqs: readonly number[] }

/** One write of a transaction. Records and failures are opaque texts. */
export type Write =
  /** Deletes the item → `done` | `missing`. `outcome` is for replicas that load later. */
  | { readonly op: 'delete'; readonly seq: number; readonly outcome: string }
  /** Deletes the item and adds a failure record, which replaces one of that id → `done` | `missing` (adds nothing). */
  | { readonly op: 'bury'; readonly seq: number; readonly id: string; readonly failure: string }
  /** Deletes the item with this id → `done` | `missing`. */
  | { readonly op: 'remove'; readonly id: string }
  /** Replaces the record → `done` | `missing`; never makes a row. */
  | { readonly op: 'put'; readonly seq: number; readonly record: string }
  /** Adds an item with the next seq (never reused, no holes on abort) → the seq | `duplicate`. */
  | { readonly op: 'insert'; readonly id: string; readonly record: string }
  /** Deletes the failure record and inserts → the seq | `duplicate` (the failure stays) | `missing` (inserts nothing). */
  | { readonly op: 'retryFailure'; readonly failure: string; readonly id: string; readonly record: string }
  /** Deletes a failure record → `done` | `missing`. */
  | { readonly op: 'dismissFailure'; readonly id: string }
  /** Adds a pause reason → `done`. */
  | { readonly op: 'pause'; readonly reason: string }
  /** Takes a pause reason away → `done` | `missing`. */
  | { readonly op: 'resume'; readonly reason: string }

/** What one write did; a number: inserted at this seq. None of them aborts the transaction. */
export type WriteResult = number | 'duplicate' | 'done' | 'missing'

/** A committed transaction. */
export interface Committed {
  /** One per write, in order. */
  readonly results: readonly WriteResult[]
  /** The change counter after it: one more than before. */
  readonly change: number
}

/** What was read, all in one transaction. */
export interface Snapshot {
  readonly store: string
  readonly epoch: number
  readonly change: number
  /** The highest seq ever allocated; 0 if none was. */
  readonly through: number
  /** All pause reasons, in order. */
  readonly paused: readonly string[]
  /** Whether this is everything; else rows that are not named are as they were. */
  readonly full: boolean
  /** In seq order. */
  readonly rows: readonly { readonly seq: number; readonly record: string }[]
  /** All failure records, oldest first; may be left out of a part in which none changed. */
  readonly failures?: readonly { readonly id: string; readonly record: string }[]
  /** Of a part: rows that are not there any longer, in seq order. */
  readonly gone?: readonly { readonly seq: number; readonly outcome?: string }[]
}

/**
 * One connection to a store. Each method is one atomic transaction, durable when it resolves; requests run in the
 * order they are asked, one at a time. A failing request rejects with a `StorageError`, or any error with such a `code`.
 */
export interface OutboxStorage {
  /** Called first, and again after it has failed. `name` is the outbox's: stores of two names share nothing. */
  open(name: string): Promise<void>
  /** Epoch + 1, and a full load. */
  acquire(): Promise<Snapshot>
  /** `fenced` if `fence` is given and does not match. */
  load(fence: Fence | undefined, scope: Scope): Promise<Snapshot>
  /** All writes in order, or none. `fenced` if `fence` is given and does not match. */
  persist(fence: Fence | undefined, writes: readonly Write[]): Promise<Committed>
  /** Ends the connection. Only `open` may follow. */
  close(): void
  /** Deletes all that is stored under the name (logout). */
  destroy?(name: string): Promise<void>
}

/** A kind of store, with its settings. */
export interface StorageAdapter {
  /** Two adapters of one location are the same store. */
  readonly location: string
  /** Whether other tabs and processes can use it too; if not, this tab leads at once. */
  readonly shared: boolean
  /** Whether one connection may be open while another one closes; default as `shared`. */
  readonly overlaps?: boolean
  connect(): OutboxStorage
  /** As `connect`, and begins to open it: while the wasm is on its way. Its `open` goes on with that, or tries again. */
  connectEarly?(name: string): OutboxStorage
}

/** What the option `storage` takes: an adapter, or a connection of one's own (which is then taken as shared). */
export type Storage = StorageAdapter | OutboxStorage

const own = new WeakMap<OutboxStorage, StorageAdapter>()
let count = 0

/** The adapter in what the app gave. */
export function adapterOf(storage: Storage): StorageAdapter {
  must(typeof storage === 'object' && storage !== null, 'storage',
    'an adapter, such as indexedDbAdapter() or memoryAdapter(), or an object like one')
  if ('connect' in storage) return storage
  const known = own.get(storage) ?? { location: `own-${++count}`, shared: true, overlaps: false, connect: () => storage }
  own.set(storage, known)
  return known
}
