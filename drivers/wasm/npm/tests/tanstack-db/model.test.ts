// Random lives of items and bases: after each step, what shows is the base with the pending items folded on, in order
// (R22); and who only listens to the changes has seen the same.

import { createTransaction } from '@tanstack/db'
import { expect, test } from 'vitest'
import type { Outcome, PendingItem, ViewChange } from '../../dist/index.js'
import { tanstackDb, type ViewSource } from '../../dist/tanstack-db.js'
import { remote, type Row } from './support.js'

type Op = ['insert' | 'update', string, Partial<Row>] | ['delete', string]
type Args = { ops: Op[] }
type Base = Map<string, Row>

/** Numbers that are the same for the same seed. */
function randomOf(seed: number) {
  let state = seed * 2_654_435_761 % 4_294_967_296
  const draw = (below: number): number => {
    state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296
    return Math.floor((state / 4_294_967_296) * below)
  }
  return { draw, pick: <T>(list: readonly T[]): T => list[draw(list.length)]! }
}

/** What an item does to the rows, or nothing if one of its steps is not possible. */
function applied(rows: Base, { ops }: Args): Base {
  const next = new Map(rows)
  for (const [kind, id, change] of ops) {
    if ((kind === 'insert') === next.has(id)) return rows
    if (kind === 'delete') next.delete(id)
    else next.set(id, { ...next.get(id), ...change, id } as Row)
  }
  return next
}

class World {
  readonly base: Base = new Map()
  readonly pending: PendingItem[] = []
  readonly heard = new Map<string, unknown>()
  readonly todos: ReturnType<typeof remote>
  private tell!: (changes: readonly ViewChange[]) => void
  readonly connected
  private seq = 10
  private count = 0
  readonly random: ReturnType<typeof randomOf>

  constructor(seed: number) {
    this.random = randomOf(seed)
    this.todos = remote(`model-${seed}`)
    this.todos.collection.subscribeChanges((changes: any[]) => {
      for (const { type, key, value } of changes) {
        if ((type === 'insert') === this.heard.has(key)) throw new Error(`a subscriber heard: ${type} ${key}, which it ${this.heard.has(key) ? 'had' : 'had not'}`)
        if (type === 'delete') this.heard.delete(key)
        else this.heard.set(key, value)
      }
    })
    const source: ViewSource = {
      observe: (listener) => { this.tell = listener; return () => {} },
      optimistic: ({ args }) => () => this.run(args as Args),
      onRegistered: () => () => {},
      subscribe: () => () => {},
      getSnapshot: () => ({ online: true, paused: [], items: [] }),
      tell: (event) => { throw event.error },
    }
    this.connected = tanstackDb({ createTransaction: createTransaction as never, collections: [this.todos.collection] }).connect(source)
  }

  step(): string {
    const steps = [this.enqueue, this.enqueue, this.stored, this.stored, this.others, this.rewrite, this.leave, this.leave, this.change, this.change, this.refetch, this.foreign]
    const step = this.random.pick(steps)
    step.call(this)
    return step.name
  }

  /** In order, those being written last. */
  ordered(): PendingItem[] {
    const isWriting = (item: PendingItem) => item.seq === null
    return [...this.pending.filter((item) => !isWriting(item)).sort((a, b) => a.seq! - b.seq!), ...this.pending.filter(isWriting)]
  }

  expected(): Record<string, unknown> {
    let rows = new Map(this.base)
    for (const item of this.ordered()) rows = applied(rows, item.args as Args)
    return Object.fromEntries([...rows].sort(([a], [b]) => a < b ? -1 : 1))
  }

  private run({ ops }: Args): void {
    const { collection } = this.todos
    for (const [kind, id, change] of ops) {
      if (kind === 'insert') collection.insert({ ...change, id })
      else if (kind === 'delete') collection.delete(id)
      else collection.update(id, (draft: any) => { Object.assign(draft, change) })
    }
  }

  private args(): Args {
    const { draw, pick } = this.random
    const ops = Array.from({ length: 1 + draw(3) }, (): Op => {
      const id = pick(['a', 'b', 'c', 'd'])
      const kind = pick(['insert', 'update', 'update', 'delete'] as const)
      const value = ++this.count
      return kind === 'delete' ? [kind, id] : [kind, id, pick([{ text: `t${value}` }, { n: value }, { done: value % 2 === 0 }])]
    })
    // TanStack DB itself merges "deleted, inserted, deleted" within one transaction to nothing.
    return { ops: ops.filter(([, id], at) => !ops.slice(0, at).some(([kind, before]) => kind === 'delete' && before === id)) }
  }

  private item(seq: number | null): PendingItem {
    return { id: `i${++this.count}`, seq, mutatorName: 'm', args: this.args(), key: 'unknown', createdAt: 0, retryCount: 0, nextAttemptAt: 0, version: 1, state: 'waiting' }
  }

  private enqueue(): void {
    const items = Array.from({ length: 1 + this.random.draw(3) }, () => this.item(null))
    this.pending.push(...items)
    this.tell(items.map((item) => ({ kind: 'set', item, replay: false })))
  }

  private set(id: string, news: Partial<PendingItem>): ViewChange {
    const at = this.pending.findIndex((item) => item.id === id)
    const item = { ...this.pending[at]!, ...news }
    this.pending[at] = item
    return { kind: 'set', item, replay: false }
  }

  /** Some of those being written get their seqs, not always in the order of their calls. */
  private stored(): void {
    const writing = this.pending.filter(({ seq }) => seq === null)
    if (writing.length === 0) return
    const chosen = this.random.draw(4) === 0 ? [this.random.pick(writing)] : writing.slice(0, 1 + this.random.draw(writing.length))
    this.tell(chosen.map(({ id }) => this.set(id, { seq: this.seq += 1 + this.random.draw(2) })))
  }

  /** Another tab's item turns up: it can come before what is known. */
  private others(): void {
    const isEarly = this.random.draw(2) === 0
    const free = Array.from({ length: this.seq }, (_, at) => at + 1).filter((seq) => !this.pending.some((item) => item.seq === seq))
    const item = this.item(isEarly && free.length > 0 ? this.random.pick(free) : ++this.seq)
    this.pending.push(item)
    this.tell([{ kind: 'set', item, replay: this.random.draw(2) === 0 }])
  }

  private rewrite(): void {
    if (this.pending.length > 0) this.tell([this.set(this.random.pick(this.pending).id, { args: this.args() })])
  }

  private leave(): void {
    const leaving = this.pending.filter(() => this.random.draw(3) === 0)
    const changes = leaving.map((item): ViewChange => {
      this.pending.splice(this.pending.indexOf(item), 1)
      const outcome = this.random.pick<Outcome | undefined>([{ kind: 'committed', result: undefined }, { kind: 'removed' }, { kind: 'squashed', into: 'x' }, undefined])
      return { kind: 'left', item, outcome }
    })
    this.tell(changes)
  }

  private change(): void {
    const changes: any[] = []
    for (const id of ['a', 'b', 'c', 'd']) {
      if (this.random.draw(3) > 0) continue
      if (this.base.has(id) && this.random.draw(2) === 0) {
        this.base.delete(id)
        changes.push(['delete', id])
      } else {
        const row: Row = { id, ...this.base.get(id), text: `base${++this.count}` }
        changes.push([this.base.has(id) ? 'update' : 'insert', row])
        this.base.set(id, row)
      }
    }
    if (changes.length > 0) this.todos.base(...changes)
  }

  private refetch(): void {
    if (this.random.draw(2) === 0) return
    const rows = ['a', 'c'].map((id) => ({ id, text: `fresh${++this.count}` }))
    this.base.clear()
    for (const row of rows) this.base.set(row.id, row)
    this.todos.refetch(...rows)
  }

  /** The app's own transaction on a row, taken back after something else has happened. */
  private foreign(): void {
    const [id] = Object.keys(this.todos.rows())
    if (id === undefined) return
    const tx: any = createTransaction({ autoCommit: false, mutationFn: async () => {} })
    tx.mutate(() => this.todos.collection.update(id, (draft: any) => { draft.rev = ++this.count }))
    this.random.pick([this.enqueue, this.change, this.leave]).call(this)
    tx.rollback()
  }
}

test.each(Array.from({ length: 60 }, (_, index) => index + 1))('what shows is the fold, seed %i', async (seed) => {
  const world = new World(seed)
  const steps: string[] = []
  for (let step = 0; step < 60; step += 1) {
    steps.push(world.step())
    await world.connected.shown()
    const where = `seed ${seed}, step ${step}: ${steps.slice(-6).join(', ')}`
    expect(world.todos.rows(), where).toEqual(world.expected())
    expect(world.todos.collection.size, where).toBe(Object.keys(world.expected()).length)
    const heard = Object.fromEntries([...world.heard].map(([id, row]) => [id, Object.fromEntries(Object.entries(row as object).filter(([name]) => !name.startsWith('$')))]))
    expect(heard, where).toEqual(world.expected())
  }
  world.connected.disconnect()
  expect(world.todos.rows(), 'nothing is left of it').toEqual(Object.fromEntries([...world.base].sort(([a], [b]) => a < b ? -1 : 1)))
  expect(world.todos.collection._state.transactions.size).toBe(0)
})
