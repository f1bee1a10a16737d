// Tries, on a collection of its own, whether the app's TanStack DB is one copy, and whether its inside is the one we know.

import { InputError } from '../errors.js'
import type { PendingItem } from '../types.js'
import { Fold, type FoldSource } from './fold.js'
import { inner } from './internals.js'
import type { CreateDbTransaction, DbCollection } from './types.js'

interface Sync {
  begin(): void
  write(change: { type: 'insert' | 'update'; value: Row }): void
  commit(): void
  markReady(): void
}

interface Row {
  readonly id: string
  readonly from: string
}

type ScratchCollection = DbCollection & {
  get(key: string): Row | undefined
  subscribeChanges(listener: (changes: readonly { readonly type: string }[]) => void): { unsubscribe(): void }
  cleanup(): Promise<void>
}

const ITEM: PendingItem = {
  id: 'probe', seq: 1, mutatorName: 'probe', args: null, key: 'unknown', createdAt: 0, retryCount: 0, nextAttemptAt: 0, version: 1,
  state: 'waiting',
}

/** Why the inside cannot be used; `undefined` if it can. Throws if collections and `createTransaction` are of two copies. */
export function probe(createTransaction: CreateDbTransaction, collections: Iterable<DbCollection>): Error | undefined {
  const seen = new Set<unknown>()
  for (const collection of collections) {
    if (seen.has(collection.constructor)) continue
    seen.add(collection.constructor)
    const problem = probeOne(createTransaction, collection)
    if (problem !== undefined) return problem
  }
  return undefined
}

function probeOne(createTransaction: CreateDbTransaction, collection: DbCollection): Error | undefined {
  let sync: Sync | undefined
  let scratch: ScratchCollection
  try {
    scratch = new (collection.constructor as new (config: object) => ScratchCollection)({
      id: 'outbox-offline:probe', getKey: (row: Row) => row.id, startSync: true,
      sync: { sync: (given: Sync) => { sync = given; given.markReady() } },
    })
  } catch (cause) {
    return new Error('no collection can be made from the class of another', { cause })
  }
  const isOneCopy = isWithin(createTransaction, scratch)
  // A DbClient's transactions are for its own collections alone.
  if (!isOneCopy && !isWithin(createTransaction, collection)) throw mismatch(collection.id)
  if (!isOneCopy) return new Error('`createTransaction` is a DbClient\'s: give the one that @tanstack/db exports')
  try {
    if (sync === undefined) return new Error('a collection does not start its sync')
    return tryOut(createTransaction, scratch, sync)
  } catch (cause) {
    return new Error('what was tried threw', { cause })
  } finally {
    scratch.cleanup().catch(() => undefined)
  }
}

/** A write within a transaction must be that transaction's: else it would go to the collection's own handlers. */
function isWithin(createTransaction: CreateDbTransaction, collection: DbCollection): boolean {
  const tx = createTransaction({ autoCommit: false, mutationFn: async () => {} })
  let writer: unknown
  try {
    tx.mutate(() => { writer = collection.insert([]) })
  } catch {
    // Without a transaction of its copy, it asks for a handler.
  }
  void tx.commit()
  return writer === tx
}

function mismatch(id: string): InputError {
  return new InputError(`The collection ${JSON.stringify(id)} and \`createTransaction\` are from two copies of @tanstack/db. `
    + 'Import both from the same place; `npm ls @tanstack/db` shows the copies, and `npm dedupe`, or an override, makes them one.', 'createTransaction')
}

/** One item's life: shown, base beneath it, settled. */
function tryOut(createTransaction: CreateDbTransaction, scratch: ScratchCollection, sync: Sync): Error | undefined {
  const events: string[] = []
  const subscription = scratch.subscribeChanges((changes) => { events.push(changes.map(({ type }) => type).join()) })
  let runs = 0
  const rows: Row[] = ['a', 'b'].map((id) => ({ id, from: 'item' }))
  const optimistic = () => {
    runs += 1
    for (const row of rows) {
      if (scratch.has(row.id)) scratch.update(row.id, (draft: { from: string }) => { draft.from = 'item' })
      else scratch.insert(row)
    }
  }
  const source: FoldSource = { optimistic: () => optimistic, tell: ({ error }) => { throw error } }
  const fold = new Fold(source, createTransaction, inner, [scratch])
  const steps: [string, () => boolean][] = [
    ['a batch is published once', () => {
      fold.take([{ kind: 'set', item: ITEM, replay: false }])
      return events.join(' ') === 'insert,insert' && scratch.get('b')?.from === 'item'
    }],
    ['a change of the base is seen', () => {
      sync.begin()
      for (const id of ['a', 'b']) sync.write({ type: 'insert', value: { id, from: 'base' } })
      sync.commit()
      return runs === 2 && scratch.get('a')?.from === 'item'
    }],
    ['an item settles', () => {
      fold.take([{ kind: 'left', item: ITEM, outcome: { kind: 'committed', result: undefined } }])
      return scratch.get('a')?.from === 'base' && !events.join(' ').includes('delete')
    }],
  ]
  try {
    const failed = steps.find(([, holds]) => !holds())
    return failed === undefined ? undefined : new Error(`it does not hold that ${failed[0]}`)
  } finally {
    fold.release()
    subscription.unsubscribe()
  }
}

