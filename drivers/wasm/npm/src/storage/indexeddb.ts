// The store of the browser: IndexedDB, one database per outbox.

import { IndexedDbStorage } from '../../../js/indexeddb.js'
import type { StorageAdapter } from './types.js'

/** Settings of `indexedDbAdapter`. */
export interface IndexedDbOptions {
  /**
   * `'strict'` (the default): an enqueue resolves when the item is on disk. `'relaxed'`: when the browser has it; only
   * a power loss can tell them apart.
   */
  readonly durability?: 'strict' | 'relaxed'
  /** Whether the browser is asked once not to evict the data (`navigator.storage.persist()`); default true. */
  readonly persist?: boolean
}

/** The default store: IndexedDB, shared by all tabs of the origin. */
export function indexedDbAdapter(options: IndexedDbOptions = {}): StorageAdapter {
  const connect = () => new IndexedDbStorage(options)
  const connectEarly = (name: string) => {
    const storage = connect()
    // Who opens it is told why it cannot be.
    storage.open(name).catch(() => undefined)
    return storage
  }
  return { location: 'indexeddb', shared: true, connect, connectEarly }
}
