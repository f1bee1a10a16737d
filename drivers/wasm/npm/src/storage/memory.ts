// A store in memory: for tests, and for apps that choose to keep nothing over a reload (R1).

import { checkFence, emptyTables, read, Transaction, type Tables } from './tables.js'
import type { OutboxStorage, StorageAdapter } from './types.js'

let count = 0

/** A store in memory. Nothing outlives the page; outboxes that are given the same adapter share it. */
export function memoryAdapter(): StorageAdapter {
  const stores = new Map<string, Tables>()
  return { location: `memory-${++count}`, shared: false, connect: () => connection(stores) }
}

function connection(stores: Map<string, Tables>): OutboxStorage {
  let tables: Tables
  return {
    async open(name) {
      tables = stores.get(name) ?? emptyTables()
      stores.set(name, tables)
    },
    async acquire() {
      tables.epoch += 1
      return read(tables, { kind: 'full' })
    },
    async load(fence, scope) {
      checkFence(tables, fence)
      return read(tables, scope)
    },
    async persist(fence, writes) {
      checkFence(tables, fence)
      return new Transaction(tables, writes).committed
    },
    close() {},
    async destroy(name) {
      stores.delete(name)
    },
  }
}
