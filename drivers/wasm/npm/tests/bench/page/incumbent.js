// @tanstack/offline-transactions, with its optimistic rows: a collection of @tanstack/db, as its guide has it.
import { createCollection } from '@tanstack/db'
import { IndexedDBAdapter, startOfflineExecutor } from '@tanstack/offline-transactions'

/** @import { OfflineExecutor } from '@tanstack/offline-transactions' */
/** @import { Row, Side } from './side.d.ts' */

/** Its own storage, which also tells when a write is stored: nothing else does. */
class ToldStorage extends IndexedDBAdapter {
  /** @type {Map<string, () => void>} */
  written = new Map()
  /** @type {Set<string>} */
  stored = new Set()
  /** @type {(() => void)[]} */
  waiting = []

  /** @override @param {string} key @param {string} value */
  async set(key, value) {
    await super.set(key, value)
    this.stored.add(key)
    this.written.get(key)?.()
    this.written.delete(key)
  }

  /** @override @param {string} key */
  async delete(key) {
    await super.delete(key)
    this.stored.delete(key)
    if (this.stored.size === 0) for (const done of this.waiting.splice(0)) done()
  }

  /** @override */
  async keys() {
    const keys = await super.keys()
    for (const key of keys) this.stored.add(key)
    return keys
  }
}

const storage = new ToldStorage()
const collection = createCollection({
  id: 'rows',
  getKey: (/** @type {Row} */ row) => row.id,
  startSync: true,
  sync: { sync: ({ markReady }) => markReady() },
})
/** @type {OfflineExecutor} */
let executor

/** @type {Side} */
export const incumbent = {
  async start(mutate) {
    executor = startOfflineExecutor({
      collections: { rows: collection },
      mutationFns: {
        add: ({ transaction }) => mutate(/** @type {Row} */ (/** @type {unknown} */ (transaction.mutations[0]?.modified))),
      },
      storage,
    })
    await executor.waitForInit()
  },

  async add(row) {
    const transaction = executor.createOfflineTransaction({ mutationFnName: 'add', autoCommit: false })
    const stored = new Promise((/** @type {(value?: undefined) => void} */ resolve) => {
      storage.written.set(`tx:${transaction.id}`, resolve)
    })
    transaction.mutate(() => collection.insert(row))
    // It resolves when the server has it; until then it waits.
    transaction.commit().catch(() => {})
    await stored
  },

  rows: () => collection.size,
  left: () => storage.stored.size,

  async idle() {
    if (storage.stored.size > 0) await new Promise((/** @type {(value?: undefined) => void} */ done) => storage.waiting.push(done))
  },
}
