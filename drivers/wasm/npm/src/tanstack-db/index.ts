// The entry point `/tanstack-db`: shows the pending items in the app's TanStack DB collections. It imports nothing from
// @tanstack/db: an install can hold two copies of it, and only the app's own is the right one.

import { InputError } from '../errors.js'
import type { OutboxView, ViewSource } from '../view-port.js'
import { Fold } from './fold.js'
import { inner } from './internals.js'
import { plain } from './plain.js'
import { probe } from './probe.js'
import { deferRefreshes } from './refresh.js'
import type { DbCollection, Key, TanstackDbOptions } from './types.js'

export type { CreateDbTransaction, DbCollection, DbMutation, DbTransaction, Key, TanstackDbOptions } from './types.js'
export type { ConnectedView, OutboxView, ViewEvent, ViewSource } from '../view-port.js'

/** The view layer of TanStack DB: give it to `startOfflineExecutor` or `createOutbox` as `view`. */
export interface TanstackDb extends OutboxView {
  /** Collections that were made later; items that could not show without them are tried again. */
  add(...collections: DbCollection[]): void
  /**
   * For `confirmed`: resolves when what the server sent has come, beneath whatever is pending over it; so that the row
   * neither vanishes nor goes back for a moment when the item settles. `row` is `undefined` while the server has none.
   *
   * ```ts
   * confirmed: (result, { id }, signal) =>
   *   db.arrived(todos, id, (row) => row !== undefined && row.rev >= (result?.rev ?? 0), signal)
   * ```
   */
  arrived<T extends object>(
    collection: DbCollection & { get(key: any): T | undefined }, key: Key, isThere: (row: T | undefined) => boolean,
    signal?: AbortSignal,
  ): Promise<void>
}

/**
 * Shows pending items in the app's collections: each item runs its mutator's `optimistic` in a transaction of its own,
 * which stays pending until the item has settled, so that what the server sends still arrives (R22).
 *
 * ```ts
 * import { createTransaction } from '@tanstack/db'
 * startOfflineExecutor({ view: tanstackDb({ createTransaction, collections: { todos } }) })
 * ```
 */
export function tanstackDb({ createTransaction, collections }: TanstackDbOptions): TanstackDb {
  if (typeof createTransaction !== 'function') {
    throw new InputError('tanstackDb needs the app\'s own `createTransaction`: import { createTransaction } from \'@tanstack/db\'.',
      'createTransaction')
  }
  if (typeof collections !== 'object' || collections === null) {
    throw new InputError('tanstackDb needs the collections that `optimistic` functions write to: { todos, lists }.',
      'collections')
  }
  const all = new Set<DbCollection>()
  const folds = new Set<Fold>()
  const add = (more: readonly DbCollection[]) => {
    for (const collection of more) checkCollection(collection)
    for (const collection of more) all.add(collection)
  }
  add(Object.values(collections))

  function connect(source: ViewSource) {
    const problem = probe(createTransaction, all)
    if (problem !== undefined) source.tell({ type: 'viewDegraded', error: degraded(problem) })
    const fold = new Fold(source, createTransaction, problem === undefined ? inner : plain, all)
    folds.add(fold)
    const ends = [
      source.observe((changes) => fold.take(changes)),
      source.onRegistered((mutatorName) => fold.again(({ item }) => item.mutatorName === mutatorName)),
      deferRefreshes(source, () => all),
    ]
    return {
      shown: () => fold.shown(),
      disconnect() {
        for (const end of ends) end()
        folds.delete(fold)
        fold.release()
      },
    }
  }

  return {
    connect,
    async arrived(collection, key, isThere, signal) {
      const [fold] = folds
      await fold?.arrived(collection, key, isThere, signal)
    },
    add(...more) {
      add(more)
      probe(createTransaction, more)
      for (const fold of folds) fold.add(more)
    },
  }
}

function checkCollection(collection: DbCollection): void {
  if (typeof collection?.insert === 'function' && typeof collection.getKeyFromItem === 'function') return
  throw new InputError('`collections` must hold collections of TanStack DB: what createCollection() gives.', 'collections')
}

function degraded(cause: Error): Error {
  return new Error('This build of @tanstack/db is not one we know: pending items show, but each write is published by itself, '
    + `and a change of the server beneath a pending row may show late. Update outbox-offline. (${cause.message})`, { cause })
}
