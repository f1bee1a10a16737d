// What one pending item does to the collections, and the rows through which items depend on each other.

import type { PendingItem } from '../types.js'
import type { Surface } from './surface.js'
import type { DbTransaction, Key } from './types.js'

/** Ranks of items that are still being written: after every seq. */
const WRITING = 2 ** 52

/** One pending item's overlay. */
export class Overlay {
  rank: number
  /** Its transaction's place: the rank it had when that was made or moved. */
  place = 0
  /** Stays pending until the item leaves; `undefined` before the first run. */
  tx: DbTransaction | undefined
  /** The rows that its last run touched, or tried to. */
  readonly rows = new Set<Row>()
  /** Its last run went through: its mutations show. */
  isShown = false
  /** What its last run threw has been told. */
  isReported = false

  constructor(public item: PendingItem, public replay: boolean, private readonly count: number) {
    this.rank = rankOf(item, count)
  }

  /** The same item with news; whether it must be run again. */
  take(item: PendingItem): boolean {
    const before = this.item
    this.item = item
    this.rank = rankOf(item, this.count)
    if (before.args === item.args) return false
    return JSON.stringify(before.args) !== JSON.stringify(item.args)
  }

  touch(row: Row): void {
    this.rows.add(row)
    row.overlays.add(this)
  }

  /** Forgets its rows, and gives them back. */
  leaveRows(): Row[] {
    const rows = [...this.rows]
    this.rows.clear()
    for (const row of rows) {
      row.overlays.delete(this)
      if (row.overlays.size === 0) row.surface.rows.delete(row.key)
    }
    return rows
  }
}

function rankOf(item: PendingItem, count: number): number {
  return item.seq ?? WRITING + count
}

/** A row that overlays have touched, or tried to. */
export interface Row {
  readonly surface: Surface
  readonly key: Key
  readonly overlays: Set<Overlay>
}

/** In the order in which they fold onto the base (R22). */
export function inOrder(overlays: Iterable<Overlay>): Overlay[] {
  return [...overlays].sort((a, b) => a.rank - b.rank)
}

/** These, and every later one that shares a row with one of them, through any number of others. */
export function withLater(seeds: Iterable<Overlay>): Set<Overlay> {
  const all = new Set(seeds)
  // A Set's iteration also visits what is added on the way.
  for (const overlay of all) {
    for (const row of overlay.rows) {
      for (const other of row.overlays) if (other.rank > overlay.rank) all.add(other)
    }
  }
  return all
}
