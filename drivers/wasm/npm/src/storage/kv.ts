// `kvStore`: an outbox in any store of keys and texts. Such a store has no transactions, so each is first written
// whole under one key, the journal; what a crash leaves of it is finished at the next open.

import { StorageError, serialized } from '../errors.js'
import { checkFence, emptyTables, read, Transaction, type Row, type Tables } from './tables.js'
import type { OutboxStorage, StorageAdapter } from './types.js'

/** A plain store of texts. `set` must be durable when it resolves. */
export interface KeyValue {
  get(key: string): Promise<string | null | undefined> | string | null | undefined
  set(key: string, value: string): Promise<void> | void
  delete(key: string): Promise<void> | void
  keys(): Promise<Iterable<string>> | Iterable<string>
}

/** What one transaction makes of the keys; `null`: deleted. */
type Journal = [key: string, value: string | null][]

let count = 0

/**
 * An outbox in a plain `{ get, set, delete, keys }`. For one process only: without transactions two tabs that share
 * it would overwrite each other. It leads at once.
 */
export function kvStore(adapter: KeyValue): StorageAdapter {
  const location = `kv-${++count}`
  return { location, shared: false, connect: () => new KvConnection(adapter) }
}

class KvConnection implements OutboxStorage {
  private tables: Tables = emptyTables()
  private prefix = ''
  /** Committed, but not all in its place yet. */
  private unfinished: Journal | undefined
  private last: Promise<unknown> = Promise.resolve()

  constructor(private readonly kv: KeyValue) {}

  open(name: string): Promise<void> {
    this.prefix = `outbox:${name}:`
    return this.inTurn(async () => {
      const journal = await this.kv.get(`${this.prefix}journal`)
      if (typeof journal === 'string') await this.finish(JSON.parse(journal) as Journal)
      this.tables = await this.readTables()
    })
  }

  acquire() {
    return this.inTurn(async () => {
      this.tables.epoch += 1
      try {
        await this.commit([])
      } catch (cause) {
        this.tables.epoch -= 1
        throw cause
      }
      return read(this.tables, { kind: 'full' })
    })
  }

  load(...[fence, scope]: Parameters<OutboxStorage['load']>) {
    return this.inTurn(async () => {
      checkFence(this.tables, fence)
      return read(this.tables, scope)
    })
  }

  persist(...[fence, writes]: Parameters<OutboxStorage['persist']>) {
    return this.inTurn(async () => {
      checkFence(this.tables, fence)
      const transaction = new Transaction(this.tables, writes)
      try {
        await this.commit(this.touched(transaction))
      } catch (cause) {
        transaction.takeBack()
        throw cause
      }
      return transaction.committed
    })
  }

  close(): void {}

  destroy(name: string): Promise<void> {
    return this.inTurn(async () => {
      for (const key of [...await this.kv.keys()]) {
        if (key.startsWith(`outbox:${name}:`)) await this.kv.delete(key)
      }
    })
  }

  /** One after the other; a failure of the adapter is a `StorageError`. */
  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const run = async () => {
      try {
        if (this.unfinished !== undefined) await this.finish(this.unfinished)
        return await work()
      } catch (cause) {
        throw asStorageError(cause)
      }
    }
    const result = this.last.then(run)
    this.last = result.catch(() => undefined)
    return result
  }

  /** What the transaction makes of the keys. */
  private touched({ rowsBefore, failuresBefore }: Transaction): Journal {
    const { rows, failures } = this.tables
    const journal: Journal = []
    for (const seq of rowsBefore.keys()) {
      const row = rows.get(seq)
      journal.push([`${this.prefix}item:${seq}`, row === undefined ? null : JSON.stringify(row)])
    }
    if (failures === failuresBefore) return journal
    for (const [id, record] of failures) {
      if (failuresBefore.get(id) !== record) journal.push([`${this.prefix}failure:${id}`, record])
    }
    for (const id of failuresBefore.keys()) if (!failures.has(id)) journal.push([`${this.prefix}failure:${id}`, null])
    return journal
  }

  private async commit(touched: Journal): Promise<void> {
    const { store, epoch, change, through, failures, paused } = this.tables
    const head: Head = { store, epoch, change, through, paused: [...paused], order: [...failures.keys()] }
    const journal: Journal = [[`${this.prefix}head`, JSON.stringify(head)], ...touched]
    // The commit: what comes after it can be repeated. Whether a failed one was kept, the next open tells.
    await this.setOrRefuse(`${this.prefix}journal`, JSON.stringify(journal))
    this.unfinished = journal
    await this.finish(journal).catch(() => undefined)
  }

  private async setOrRefuse(key: string, value: string): Promise<void> {
    try {
      await this.kv.set(key, value)
    } catch (cause) {
      refuse(cause)
    }
  }

  private async finish(journal: Journal): Promise<void> {
    for (const [key, value] of journal) {
      await (value === null ? this.kv.delete(key) : this.kv.set(key, value))
    }
    await this.kv.delete(`${this.prefix}journal`)
    this.unfinished = undefined
  }

  private async readTables(): Promise<Tables> {
    const entries: [string, string][] = []
    for (const key of [...await this.kv.keys()].filter((key) => key.startsWith(this.prefix))) {
      const value = await this.kv.get(key)
      if (typeof value === 'string') entries.push([key.slice(this.prefix.length), value])
    }
    const found = new Map(entries)
    const head = found.get('head')
    if (head === undefined) return emptyTables()
    const { order, paused, ...numbers } = JSON.parse(head) as Head
    const rows = [...found].filter(([key]) => key.startsWith('item:'))
      .map(([key, row]) => [Number(key.slice(5)), JSON.parse(row) as Row] as const)
    return {
      ...numbers,
      paused: new Set(paused),
      rows: new Map(rows),
      places: new Map(rows.map(([seq, { id }]) => [id, seq])),
      failures: new Map(order.map((id) => [id, found.get(`failure:${id}`) ?? ''])),
    }
  }
}

/** What is kept under `head`. `order`: of the failure records, oldest first. */
type Head = Pick<Tables, 'store' | 'epoch' | 'change' | 'through'> & { paused: string[]; order: string[] }

function refuse(cause: unknown): never {
  const isFull = serialized(cause).name === 'QuotaExceededError'
  throw isFull ? new StorageError('full', `The key-value store is full: ${words(cause)}.`, { cause })
    : new StorageError('unknown', `The key-value store failed, perhaps after writing: ${words(cause)}.`, { cause })
}

function asStorageError(cause: unknown): StorageError {
  if (cause instanceof StorageError) return cause
  return new StorageError('unavailable', `The key-value store failed: ${words(cause)}. Nothing was written.`, { cause })
}

function words(cause: unknown): string {
  const { name, message } = serialized(cause)
  return `${name}: ${message}`
}
