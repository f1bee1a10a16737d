// The storage contract over tables in memory: what `memoryAdapter` is, and what `kvStore` keeps in step with its adapter.

import { StorageError } from '../errors.js'
import type { Committed, Fence, Scope, Snapshot, Write, WriteResult } from './types.js'

/** A store as plain data. */
export interface Tables {
  store: string
  epoch: number
  change: number
  through: number
  readonly rows: Map<number, Row>
  /** The rows' seqs by id. */
  readonly places: Map<string, number>
  /** By id, oldest first. */
  failures: Map<string, string>
  paused: Set<string>
}

export interface Row {
  readonly id: string
  readonly record: string
}

export function emptyTables(): Tables {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  const store = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
  const numbers = { store, epoch: 0, change: 0, through: 0 }
  return { ...numbers, rows: new Map(), places: new Map(), failures: new Map(), paused: new Set() }
}

export function checkFence(tables: Tables, fence: Fence | undefined): void {
  if (fence !== undefined && (fence.store !== tables.store || fence.epoch !== tables.epoch)) {
    throw new StorageError('fenced', 'Another tab leads this outbox; nothing was written.')
  }
}

/** Everything, or the rows that were asked for. No log of changes is kept: `since` gets everything. */
export function read(tables: Tables, scope: Scope): Snapshot {
  const { store, epoch, change, through } = tables
  const head = { store, epoch, change, through, paused: [...tables.paused].sort() }
  if (scope.kind !== 'items') {
    const rows = [...tables.rows].map(([seq, { record }]) => ({ seq, record })).sort((a, b) => a.seq - b.seq)
    return { ...head, full: true, rows, failures: [...tables.failures].map(([id, record]) => ({ id, record })) }
  }
  const seqs = [...new Set(scope.seqs)].sort((a, b) => a - b)
  const rows = seqs.flatMap((seq) => {
    const row = tables.rows.get(seq)
    return row === undefined ? [] : [{ seq, record: row.record }]
  })
  return { ...head, full: false, rows, gone: seqs.filter((seq) => !tables.rows.has(seq)).map((seq) => ({ seq })) }
}

/** A transaction, carried out on the tables; it can be taken back until the next one. */
export class Transaction {
  readonly committed: Committed
  /** What each touched row was; undefined: it was not there. */
  readonly rowsBefore = new Map<number, Row | undefined>()
  readonly failuresBefore: Map<string, string>
  private readonly before: Pick<Tables, 'change' | 'through' | 'paused'>

  constructor(private readonly tables: Tables, writes: readonly Write[]) {
    const { change, through, paused, failures } = tables
    this.before = { change, through, paused: new Set(paused) }
    this.failuresBefore = failures
    if (writes.some((one) => one.op === 'bury' || one.op === 'retryFailure' || one.op === 'dismissFailure')) {
      tables.failures = new Map(failures)
    }
    const results = writes.map((one) => this.write(one))
    tables.change += 1
    this.committed = { results, change: tables.change }
  }

  takeBack(): void {
    for (const [seq, row] of this.rowsBefore) this.set(seq, row)
    Object.assign(this.tables, this.before, { failures: this.failuresBefore })
  }

  private write(one: Write): WriteResult {
    const { failures, paused, rows, places } = this.tables
    switch (one.op) {
      case 'delete': return this.remove(one.seq)
      case 'bury': {
        const result = this.remove(one.seq)
        if (result === 'done') {
          failures.delete(one.id)
          failures.set(one.id, one.failure)
        }
        return result
      }
      case 'remove': return this.remove(places.get(one.id))
      case 'put': {
        const row = rows.get(one.seq)
        if (row !== undefined) this.set(one.seq, { ...row, record: one.record })
        return row === undefined ? 'missing' : 'done'
      }
      case 'insert': return this.insert(one.id, one.record)
      case 'retryFailure': {
        if (!failures.has(one.failure)) return 'missing'
        const result = this.insert(one.id, one.record)
        if (result !== 'duplicate') failures.delete(one.failure)
        return result
      }
      case 'dismissFailure': return failures.delete(one.id) ? 'done' : 'missing'
      case 'pause': paused.add(one.reason); return 'done'
      case 'resume': return paused.delete(one.reason) ? 'done' : 'missing'
    }
  }

  private insert(id: string, record: string): WriteResult {
    if (this.tables.places.has(id)) return 'duplicate'
    const seq = ++this.tables.through
    this.set(seq, { id, record })
    return seq
  }

  private remove(seq: number | undefined): WriteResult {
    if (seq === undefined || !this.tables.rows.has(seq)) return 'missing'
    this.set(seq, undefined)
    return 'done'
  }

  private set(seq: number, row: Row | undefined): void {
    const { rows, places } = this.tables
    const before = rows.get(seq)
    if (!this.rowsBefore.has(seq)) this.rowsBefore.set(seq, before)
    if (before !== undefined) places.delete(before.id)
    if (row === undefined) {
      rows.delete(seq)
    } else {
      rows.set(seq, row)
      places.set(row.id, seq)
    }
  }
}
