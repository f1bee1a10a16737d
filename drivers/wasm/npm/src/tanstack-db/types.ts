// What this entry needs of TanStack DB, by shape: it imports nothing from it, so that the app's own copy is the one used.

/** A row's key. */
export type Key = string | number

/** A collection of the app, by its public surface. */
export interface DbCollection {
  readonly id: string
  insert(...call: any[]): any
  update(...call: any[]): any
  delete(...call: any[]): any
  has(key: any): boolean
  getKeyFromItem(item: any): Key
  deferDataRefresh?: Promise<void> | null
  /** Collections without a server of their own have `acceptMutations`. */
  readonly utils?: any
}

/** A transaction, by its public surface. */
export interface DbTransaction {
  readonly state: string
  readonly mutations: DbMutation[]
  createdAt: Date
  sequenceNumber: number
  mutate(callback: () => void): unknown
  commit(): Promise<unknown>
  rollback(config?: { isSecondaryRollback?: boolean; error?: Error }): unknown
  setState(state: 'completed' | 'failed'): void
}

/** One row's change within a transaction. */
export interface DbMutation {
  readonly type: 'insert' | 'update' | 'delete'
  readonly key: any
  readonly modified: any
  readonly optimistic: boolean
  readonly collection: any
}

/** The app's `createTransaction`. */
export type CreateDbTransaction = (config: { autoCommit: false; mutationFn(): Promise<void> }) => DbTransaction

/** What `tanstackDb` takes. */
export interface TanstackDbOptions {
  /** The app's own import: `import { createTransaction } from '@tanstack/db'`. */
  readonly createTransaction: CreateDbTransaction
  /** The collections that `optimistic` functions write to. */
  readonly collections: readonly DbCollection[] | { readonly [name: string]: DbCollection }
}
