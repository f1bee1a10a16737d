// A restore of many items: in parts that leave the page its turns, while what somebody waits for shows at once.

import { createCollection, createLiveQueryCollection, createTransaction, localOnlyCollectionOptions } from '@tanstack/db'
import { expect, test } from 'vitest'
import type { PendingItem, ViewChange } from '../../dist/index.js'
import { tanstackDb } from '../../dist/tanstack-db.js'
import { remote, type Row } from './support.js'

const ITEMS = 1_000
/** As in the view layer. */
const PART = 100

const item = (n: number, seq: number | null = n): PendingItem => ({
  id: `item-${n}`, seq, mutatorName: 'add', args: { id: `row-${n}`, n }, key: [`row-${n}`], createdAt: 0, retryCount: 0,
  nextAttemptAt: 0, version: 1, state: 'waiting',
})
const stored: ViewChange[] = Array.from({ length: ITEMS }, (_, n) => ({ kind: 'set', item: item(n + 1), replay: true }))

/** The view layer alone. */
function layer({ collection }: { collection: any }, optimistic: (args: Row) => void = (args) => { collection.insert(args) }) {
  let tell!: (changes: readonly ViewChange[]) => void
  const connected = tanstackDb({ createTransaction: createTransaction as never, collections: [collection] }).connect({
    observe: (listener) => { tell = listener; return () => {} },
    optimistic: ({ args }) => () => optimistic(args as Row),
    onRegistered: () => () => {},
    subscribe: () => () => {},
    getSnapshot: () => ({ online: true, paused: [], items: [] }),
    tell: ({ error }) => { throw error },
  })
  return { ...connected, tell }
}

test('a large restore is published in parts, to a live query too', async () => {
  const rows = remote('parts')
  const query = createLiveQueryCollection((q) => q.from({ row: rows.collection }))
  await query.preload()
  const parts: number[] = []
  const seen: number[] = []
  rows.collection.subscribeChanges((changes: unknown[]) => { parts.push(changes.length) })
  query.subscribeChanges((changes) => { seen.push(changes.length) })
  const view = layer(rows)
  view.tell(stored)
  expect(rows.collection.size, 'nobody waits for it in this turn').toBe(0)
  await view.shown()
  expect([rows.collection.size, query.size]).toEqual([ITEMS, ITEMS])
  for (const told of [parts, seen]) {
    expect(told.reduce((sum, part) => sum + part)).toBe(ITEMS)
    // On a slow machine one part may be cut short, and the next is published with it.
    expect(Math.max(...told)).toBeLessThan(2 * PART)
  }
})

test('what is added meanwhile shows in its turn', async () => {
  const rows = remote('meanwhile')
  const view = layer(rows)
  view.tell(stored)
  view.tell([{ kind: 'set', item: item(ITEMS + 1, null), replay: false }])
  expect(rows.collection.has(`row-${ITEMS + 1}`)).toBe(true)
  expect(rows.collection.size).toBeLessThan(ITEMS)
  await view.shown()
  expect(rows.collection.size).toBe(ITEMS + 1)
})

test('many items on one row are published once, as they end: nobody sees what was written before that', async () => {
  const rows = remote('one row')
  const seen: number[] = []
  rows.base(['insert', { id: 'row', n: 0 }])
  rows.collection.subscribeChanges((changes: any[]) => { seen.push(...changes.map(({ value }) => value.n)) })
  const view = layer(rows, ({ n }) => { rows.collection.update('row', (row: any) => { row.n = n }) })
  view.tell(stored)
  await view.shown()
  expect(seen).toEqual([ITEMS])
})

test('an item that is committed before its turn has come is kept by a collection without a server', async () => {
  const collection: any = createCollection(localOnlyCollectionOptions({ id: 'late', getKey: (row: Row) => row.id }) as never)
  const view = layer({ collection })
  view.tell(stored)
  expect(collection.size).toBe(0)
  view.tell([{ kind: 'left', item: item(ITEMS), outcome: { kind: 'committed' } } as ViewChange])
  expect(collection.has(`row-${ITEMS}`)).toBe(true)
  await view.shown()
  expect(collection.size).toBe(ITEMS)
})
