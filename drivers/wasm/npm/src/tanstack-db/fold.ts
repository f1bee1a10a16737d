// The pending items, folded onto the collections in the order of their seq (R22): which items must be run, and when.
//
// An item is run by calling its mutator's `optimistic` within a transaction of its own. What it writes hides the base and
// earlier items, so whenever something beneath it changes it is taken back and run again, with every later item that
// shares a row with it.

import { guarded } from '../events.js'
import type { ViewChange } from '../types.js'
import type { ConnectedView, ViewSource } from '../view-port.js'
import { NotNow, seeCalls, type CallListener } from './calls.js'
import { inOrder, Overlay, withLater, type Row } from './overlay.js'
import type { BaseListener, Drawing, Surface } from './surface.js'
import type { CreateDbTransaction, DbCollection, DbTransaction, Key } from './types.js'

/** So often at most are overlays that change the base run over what they have changed. */
const MAX_ROUNDS = 20
/** How long items that need not show in this turn are run without a pause. */
const SLICE_MS = 12
/** So many changes are not run in the turn in which they come, if nobody waits for them in it. */
const LARGE = 500
/**
 * Of more than that, so many items at most are run in one turn: what a live query makes of a row that is published costs
 * more than all that is done here, and before that is compiled it costs several times as much.
 */
const PART = 100
/** All overlays sort before what the app itself writes. */
const CREATED_AT = new Date(0)

/** What came of drawing. */
interface Drawn {
  /** `false`: there is more to do, which need not be done in this turn. */
  readonly isDone: boolean
  /** Something was done that is to be seen in this turn. */
  readonly isUrgent: boolean
}

/** What the fold asks of whoever made it. */
export type FoldSource = Pick<ViewSource, 'optimistic' | 'tell'>

/** The pending items of one outbox on its collections. */
export class Fold implements CallListener, Pick<ConnectedView, 'shown'> {
  private readonly surfaces = new Map<DbCollection, Surface>()
  private readonly overlays = new Map<string, Overlay>()
  /** To be run, again or for the first time. */
  private readonly dirty = new Set<Overlay>()
  /** Those whose place among the others has changed. */
  private readonly moved = new Set<Overlay>()
  /** Those that failed: nobody knows what they wait for. */
  private readonly astray = new Set<Overlay>()
  private readonly leaving: { overlay: Overlay; isCommitted: boolean }[] = []
  /** Those without a seq, oldest first. */
  private readonly writing = new Set<Overlay>()
  private readonly transactions = new WeakSet<object>()
  private highestSeq = 0
  private count = 0
  private running: Overlay | undefined
  /** Whether somebody else numbers our transactions, unless they are kept from it. */
  private isPinned = false
  private isDrawing = false
  private isReleased = false
  private later: { promise: Promise<void>; resolve(): void } | undefined
  /** More is to be run than one turn is given. */
  private isInParts = false
  /** A task is to come that goes on. */
  private isPlanned = false

  constructor(
    private readonly source: FoldSource,
    private readonly createTransaction: CreateDbTransaction,
    private readonly drawing: Drawing,
    collections: Iterable<DbCollection>,
  ) {
    for (const collection of collections) this.surface(collection)
  }

  /** One batch of changes of the pending items. */
  take(changes: readonly ViewChange[]): void {
    this.runCommitted(changes)
    for (const change of changes) {
      if (change.kind === 'set') this.set(change)
      else this.leave(change)
    }
    // A part of a large restore has cost its turn already.
    const isLarge = changes.length >= LARGE && this.dirty.size > 0
    if (isLarge && this.moved.size + this.leaving.length === 0 && [...this.dirty].every(canWait)) this.plan(false)
    else this.draw()
  }

  /** Collections that were made later. */
  add(collections: Iterable<DbCollection>): void {
    for (const collection of collections) this.surface(collection)
    this.again((overlay) => !overlay.isShown)
  }

  /** Runs the chosen items again. */
  again(isChosen: (overlay: Overlay) => boolean): void {
    for (const overlay of this.overlays.values()) {
      if (!isChosen(overlay)) continue
      overlay.isReported = false
      this.dirty.add(overlay)
    }
    this.draw()
  }

  /** Resolves when the base has what `isThere` looks for in the row. */
  arrived(
    collection: DbCollection, key: Key, isThere: (row: any) => boolean, signal: AbortSignal | undefined,
  ): Promise<void> {
    const surface = this.surface(collection)
    surface.watch()
    return new Promise((resolve, reject) => {
      const end = () => {
        surface.watchers.delete(look)
        signal?.removeEventListener('abort', stop)
      }
      const stop = () => {
        end()
        reject(signal?.reason)
      }
      const look = () => {
        try {
          if (!isThere(surface.base(key))) return
          resolve()
        } catch (error) {
          reject(error)
        }
        end()
      }
      surface.watchers.add(look)
      signal?.addEventListener('abort', stop)
      if (signal?.aborted === true) stop()
      else look()
    })
  }

  shown(): Promise<void> | undefined {
    return this.later?.promise
  }

  release(): void {
    for (const overlay of [...this.overlays.values()]) this.leaving.push({ overlay, isCommitted: false })
    this.draw()
    this.isReleased = true
    for (const surface of this.surfaces.values()) surface.release()
    this.later?.resolve()
  }

  isRunning(): boolean {
    return this.running !== undefined
  }

  before(surface: Surface, keys: readonly Key[]): void {
    const { running } = this
    if (running === undefined) return
    for (const key of keys) {
      const row = surface.row(key)
      running.touch(row)
      surface.before(running, row)
    }
  }

  after(surface: Surface, keys: readonly Key[]): void {
    const { running } = this
    if (running !== undefined) for (const key of keys) surface.after(running, surface.row(key))
  }

  private set({ item, replay }: Extract<ViewChange, { kind: 'set' }>): void {
    const known = this.overlays.get(item.id)
    const overlay = known ?? new Overlay(item, replay, ++this.count)
    if (known === undefined) {
      this.overlays.set(item.id, overlay)
      this.dirty.add(overlay)
    } else {
      const wasWriting = this.writing.has(overlay)
      if (overlay.take(item)) {
        overlay.isReported = false
        this.dirty.add(overlay)
      }
      if (wasWriting && item.seq !== null) this.move(overlay)
    }
    if (item.seq === null) return void this.writing.add(overlay)
    this.writing.delete(overlay)
    this.highestSeq = Math.max(this.highestSeq, item.seq)
  }

  private leave({ item, outcome }: Extract<ViewChange, { kind: 'left' }>): void {
    const overlay = this.overlays.get(item.id)
    if (overlay === undefined) return
    const isCommitted = outcome?.kind === 'committed' || outcome?.kind === 'gone'
    const accepting = outcome?.kind === 'committed' ? accept(overlay) : []
    const end = () => this.leaving.push({ overlay, isCommitted })
    if (accepting.length === 0) return void end()
    void Promise.allSettled(accepting).then((results) => {
      for (const result of results) if (result.status === 'rejected') guarded(() => { throw result.reason })
      end()
      this.draw()
    })
  }

  /** Those that are committed before they were run: collections without a server keep what they write. */
  private runCommitted(changes: readonly ViewChange[]): void {
    if (this.isDrawing) return
    const late = changes.flatMap((change) => {
      const overlay = this.overlays.get(change.item.id)
      const isLate = change.kind === 'left' && change.outcome?.kind === 'committed' && overlay?.isShown === false
      return isLate && this.dirty.has(overlay) ? [overlay] : []
    })
    if (late.length === 0) return
    // Published together with their leaving.
    this.whileSeen(() => { for (const overlay of late) if (this.dirty.has(overlay)) this.runFrom(overlay) })
  }

  /** An item has got its seq. Its transaction moves with it, unless others come between: then it is made again. */
  private move(overlay: Overlay): void {
    const [oldest] = this.writing
    if (overlay.tx === undefined) return
    if (oldest === overlay && overlay.rank > this.highestSeq) overlay.tx.sequenceNumber = overlay.place = overlay.rank
    else this.moved.add(overlay)
  }

  /** Does all that is to be done, and publishes it once per collection. Of a large restore a part, in a task of its own. */
  private draw(hasOwnTask = false): void {
    if (this.isDrawing || this.isReleased || this.moved.size + this.leaving.length + this.dirty.size === 0) return
    this.isInParts ||= this.dirty.size > LARGE
    let drawn: Drawn = { isDone: true, isUrgent: true }
    try {
      this.whileSeen(() => { drawn = this.drawAll(!this.isInParts ? Infinity : hasOwnTask ? PART : 0) })
    } finally {
      // A restore that goes on later is published when it is complete, or too large for one turn.
      const most = this.isInParts ? PART : LARGE
      for (const surface of this.surfaces.values()) surface.close(drawn.isDone || drawn.isUrgent, most)
    }
    for (const surface of [...this.surfaces.values()]) guarded(() => surface.show())
    this.plan(drawn.isDone)
  }

  /** What is run meanwhile is seen to be ours, and none of it makes us begin again. */
  private whileSeen(work: () => void): void {
    this.isDrawing = true
    const unsee = seeCalls(this.surfaces.values(), this)
    try {
      work()
    } finally {
      unsee()
      this.isDrawing = false
    }
  }

  /** `left`: how many that can wait are run. */
  private drawAll(left: number): Drawn {
    const until = performance.now() + SLICE_MS
    let isUrgent = this.moved.size + this.leaving.length > 0
    // What is run can make more to do: a collection that starts with the first write to it brings its rows.
    for (let round = 0; round < MAX_ROUNDS; round += 1) {
      for (const overlay of this.moved) this.remake(overlay)
      this.moved.clear()
      for (const { overlay, isCommitted } of this.leaving.splice(0)) this.retire(overlay, isCommitted)
      for (const seed of inOrder(this.dirty)) {
        if (!this.dirty.has(seed)) continue
        if (canWait(seed)) {
          if (left === 0 || performance.now() > until) continue
          left -= 1
        } else {
          isUrgent = true
        }
        this.runFrom(seed)
      }
      if (this.moved.size + this.leaving.length > 0) continue
      if (this.dirty.size === 0) return { isDone: true, isUrgent }
      if ([...this.dirty].every(canWait)) return { isDone: false, isUrgent }
    }
    const endless = new Error('`optimistic` changes again and again what it is run over.')
    for (const overlay of this.dirty) this.report(overlay, endless)
    this.dirty.clear()
    return { isDone: true, isUrgent }
  }

  private plan(isDone: boolean): void {
    if (isDone) {
      this.isInParts = false
      this.later?.resolve()
      this.later = undefined
      return
    }
    if (this.later === undefined) {
      let resolve!: () => void
      const promise = new Promise<void>((done) => { resolve = done })
      this.later = { promise, resolve }
    }
    if (this.isPlanned) return
    this.isPlanned = true
    inNextTask(() => {
      this.isPlanned = false
      this.draw(true)
    })
  }

  /** Runs an item, and with it every later one that it has to do with. */
  private runFrom(seed: Overlay): void {
    const group = withLater([seed])
    for (;;) {
      if (group.size > 1 || seed.tx !== undefined) this.clear(group)
      const met = this.runAll(group.size > 1 ? inOrder(group) : [seed], group)
      if (met.length === 0) return
      for (const other of withLater(met)) group.add(other)
    }
  }

  private clear(group: ReadonlySet<Overlay>): void {
    const rows = new Set<Row>()
    for (const overlay of group) {
      for (const row of overlay.leaveRows()) {
        rows.add(row)
        row.surface.open()
      }
      overlay.isShown = false
      this.drawing.clear(overlay)
    }
    for (const row of rows) row.surface.redraw(row)
  }

  /** Runs them in order; stops at one that meets later ones that are not among them, and gives those back. */
  private runAll(sorted: readonly Overlay[], group: ReadonlySet<Overlay>): Overlay[] {
    for (const overlay of sorted) {
      this.dirty.delete(overlay)
      this.run(overlay)
      const met: Overlay[] = []
      for (const { overlays } of overlay.rows) {
        for (const other of overlays) if (other.rank > overlay.rank && !group.has(other)) met.push(other)
      }
      if (met.length > 0) return met
    }
    return []
  }

  private run(overlay: Overlay): void {
    const optimistic = this.source.optimistic(overlay.item, overlay.replay)
    if (optimistic === undefined) return
    const tx = overlay.tx?.state === 'pending' ? overlay.tx : this.begin(overlay)
    overlay.tx = tx
    this.astray.delete(overlay)
    this.running = overlay
    try {
      let result: unknown
      tx.mutate(() => { result = optimistic() })
      overlay.isShown = true
      if (isThenable(result)) this.reportAsync(overlay, result)
    } catch (error) {
      if (!(error instanceof NotNow)) {
        this.astray.add(overlay)
        this.report(overlay, error)
      }
    } finally {
      this.running = undefined
    }
    this.learn(overlay, tx)
    if (tx.sequenceNumber === overlay.place) return
    this.isPinned = true
    this.moved.add(overlay)
  }

  /** What it wrote before its first await shows; the rest would go to the collections' own handlers. */
  private reportAsync(overlay: Overlay, result: Promise<unknown>): void {
    this.report(overlay, new TypeError('`optimistic` must be synchronous: what it writes after an await is not its own.'))
    result.then(undefined, () => undefined)
  }

  /** What it wrote to collections that nobody named; and what it tried to write is not there. */
  private learn(overlay: Overlay, tx: DbTransaction): void {
    for (const { collection, key } of tx.mutations) overlay.touch(this.surface(collection as DbCollection).row(key as Key))
    // It may be half done: TanStack DB has taken that back.
    if (!overlay.isShown) for (const row of overlay.rows) row.surface.redraw(row)
  }

  private begin(overlay: Overlay): DbTransaction {
    const tx = this.createTransaction({ autoCommit: false, mutationFn: async () => {} })
    const { rollback } = tx
    tx.createdAt = CREATED_AT
    overlay.place = overlay.rank
    tx.sequenceNumber = overlay.place
    // A DbClient gives it a number of its own with the first write.
    if (this.isPinned) Object.defineProperty(tx, 'sequenceNumber', { get: () => overlay.place, set: () => {} })
    // Nobody else's rollback takes it back, and it takes nobody else's back.
    tx.rollback = (config) => config?.isSecondaryRollback === true ? tx
      : rollback.call(tx, { ...config, isSecondaryRollback: true })
    this.transactions.add(tx)
    return tx
  }

  private retire(overlay: Overlay, isCommitted: boolean): void {
    this.overlays.delete(overlay.item.id)
    this.writing.delete(overlay)
    this.dirty.delete(overlay)
    this.astray.delete(overlay)
    const rows = overlay.leaveRows()
    for (const row of rows) {
      row.surface.open()
      if (isCommitted && row.surface.isHeld(row.key)) continue
      for (const other of row.overlays) if (other.rank > overlay.rank) this.dirty.add(other)
    }
    this.drawing.retire(overlay, isCommitted)
    for (const row of rows) row.surface.redraw(row)
  }

  /** The order has changed: with a new transaction at its new place, it and what is later now are run again. */
  private remake(overlay: Overlay): void {
    for (const other of withLater([overlay])) this.dirty.add(other)
    const rows = overlay.leaveRows()
    for (const row of rows) row.surface.open()
    this.drawing.retire(overlay, false)
    overlay.tx = undefined
    overlay.isShown = false
    for (const row of rows) row.surface.redraw(row)
  }

  private surface(collection: DbCollection): Surface {
    const known = this.surfaces.get(collection)
    if (known !== undefined) return known
    const surface = this.drawing.surface(collection, (tx) => this.transactions.has(tx), this.onBase)
    this.surfaces.set(collection, surface)
    return surface
  }

  /** What lies beneath has changed. */
  private readonly onBase: BaseListener = (surface, keys) => {
    if (this.isReleased) return
    const rows = keys === 'all' ? surface.rows.values() : knownRows(surface, keys)
    for (const { overlays } of rows) for (const overlay of overlays) this.dirty.add(overlay)
    for (const overlay of this.astray) this.dirty.add(overlay)
    if (this.dirty.size > 0) guarded(() => this.draw())
    for (const look of [...surface.watchers]) look()
  }

  private report(overlay: Overlay, error: unknown): void {
    if (overlay.isReported) return
    overlay.isReported = true
    const { id, mutatorName } = overlay.item
    this.source.tell({ type: 'optimisticFailed', id, mutatorName, error })
  }
}

/** Nobody has seen it yet, and nobody waits for it in this turn. */
function canWait({ replay, isShown }: Overlay): boolean {
  return replay && !isShown
}

function* knownRows({ rows }: Surface, keys: Iterable<Key>): Iterable<Row> {
  for (const key of keys) {
    const row = rows.get(key)
    if (row !== undefined) yield row
  }
}

/** Collections without a server (local-only, local storage) keep what was committed. Gives what is still to be written. */
function accept({ tx, isShown }: Overlay): Promise<unknown>[] {
  if (tx === undefined || !isShown) return []
  const accepting: Promise<unknown>[] = []
  for (const collection of new Set(tx.mutations.map((mutation) => mutation.collection as DbCollection))) {
    guarded(() => {
      const writing: unknown = collection.utils?.acceptMutations?.(tx)
      if (isThenable(writing)) accepting.push(writing)
    })
  }
  return accepting
}

function isThenable(value: unknown): value is Promise<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value
}

/** After the browser has had its turn. */
function inNextTask(run: () => void): void {
  const { port1, port2 } = new MessageChannel()
  port1.onmessage = () => {
    port1.close()
    run()
  }
  port2.postMessage(null)
}
