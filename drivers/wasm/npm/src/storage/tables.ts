// The storage contract over tables in memory: what `memoryAdapter` is, and what `kvStore` keeps in step with its adapter.

import { StorageError } from '../errors.js'
import type { Committed, Fence, Scope, Snapshot, Write, WriteResult } from './types.js'

/** A store as plain data. */
export interface Tables {
  store: string
  epoch: number
  change: number
  through: number
  rows: Map<number, { id: string; record: string }>
  /** By id, oldest first. */
  failures: Map<string, string>
  paused: Set<string>
}

export function emptyTables(): Tables {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  const store = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
  return { store, epoch: 0, change: 0, through: 0, rows: new Map(), failures: new Map(), paused: new Set() }
}

export function checkFence(tables: Tables, fence: Fence | undefined): void {
  if (fence !== undefined && (fence.store !== tables.store || fence.epoch !== tables.epoch)) {
    throw new StorageError('fenced', 'Another tab leads this outbox; nothing was written.')
  }
}

/** Carries out a transaction that cannot fail any more. */
export function write(tables: Tables, writes: readonly Write[]): Committed {
  const places = new Map([...tables.rows].map(([seq, row]) => [row.id, seq]))
  const results = writes.map((one) => writeOne(tables, places, one))
  tables.change += 1
  return { results, change: tables.change }
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

function writeOne(tables: Tables, places: Map<string, number>, one: Write): WriteResult {
  switch (one.op) {
    case 'delete': return remove(tables, places, one.seq)
    case 'bury': {
      const result = remove(tables, places, one.seq)
      if (result === 'done') {
        tables.failures.delete(one.id)
        tables.failures.set(one.id, one.failure)
      }
      return result
    }
    case 'remove': return remove(tables, places, places.get(one.id))
    case 'put': {
      const row = tables.rows.get(one.seq)
      if (row !== undefined) tables.rows.set(one.seq, { ...row, record: one.record })
      return row === undefined ? 'missing' : 'done'
    }
    case 'insert': return insert(tables, places, one.id, one.record)
    case 'retryFailure': {
      if (!tables.failures.has(one.failure)) return 'missing'
      const result = insert(tables, places, one.id, one.record)
      if (result !== 'duplicate') tables.failures.delete(one.failure)
      return result
    }
    case 'dismissFailure': return tables.failures.delete(one.id) ? 'done' : 'missing'
    case 'pause': tables.paused.add(one.reason); return 'done'
    case 'resume': return tables.paused.delete(one.reason) ? 'done' : 'missing'
  }
}

function insert(tables: Tables, places: Map<string, number>, id: string, record: string): WriteResult {
  if (places.has(id)) return 'duplicate'
  const seq = ++tables.through
  tables.rows.set(seq, { id, record })
  places.set(id, seq)
  return seq
}

function remove(tables: Tables, places: Map<string, number>, seq: number | undefined): WriteResult {
  const row = seq === undefined ? undefined : tables.rows.get(seq)
  if (seq === undefined || row === undefined) return 'missing'
  tables.rows.delete(seq)
  places.delete(row.id)
  return 'done'
}
