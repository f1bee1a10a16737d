// A collection as the overlays are drawn on it. There are two ways to draw: `inner`, which knows the inside of TanStack DB
// and publishes once per batch, and `plain`, which needs its public calls only.

import type { Overlay, Row } from './overlay.js'
import type { DbCollection, Key } from './types.js'

/** Whoever wants to know what happens beneath the overlays: rows of the base changed, or `'all'` may have. */
export type BaseListener = (surface: Surface, keys: Iterable<Key> | 'all') => void

/** A way to draw. */
export interface Drawing {
  surface(collection: DbCollection, isOurs: (tx: object) => boolean, onBase: BaseListener): Surface
  /** Takes an overlay's mutations back; it will run again. */
  clear(overlay: Overlay): void
  /** Ends an overlay's transaction. What it did goes in one step with what the base has by then. */
  retire(overlay: Overlay, isCommitted: boolean): void
}

/** One collection. */
export abstract class Surface {
  /** The rows that overlays have touched, or tried to. */
  readonly rows = new Map<Key, Row>()
  /** Called after each change of the base. */
  readonly watchers = new Set<() => void>()

  constructor(readonly collection: DbCollection) {}

  row(key: Key): Row {
    const known = this.rows.get(key)
    if (known !== undefined) return known
    const row: Row = { surface: this, key, overlays: new Set() }
    this.rows.set(key, row)
    return row
  }

  /** The row of the base, beneath all overlays. */
  abstract base(key: Key): unknown
  /** Makes sure that changes of the base are told from now on. */
  abstract watch(): void
  /** Begins a batch, if none is going on: until `close`, what overlays do is not published. */
  abstract open(): void
  /** Overlays of the row came or went: what the next run sees of it must be what the others make of it. */
  abstract redraw(row: Row): void
  /** `overlay` runs, and is about to write to the row. */
  abstract before(overlay: Overlay, row: Row): void
  /** `overlay` has written to the row. */
  abstract after(overlay: Overlay, row: Row): void
  /** The base has accepted a change of the row, and cannot show it yet. */
  abstract isHeld(key: Key): boolean
  /** Ends the batch. `isDone: false`: it goes on later, and fewer than `most` rows are not to be seen before. */
  abstract close(isDone: boolean, most: number): void
  /** Publishes what a closed batch has changed. */
  abstract show(): void
  /** Lets go of the collection. */
  abstract release(): void
}
