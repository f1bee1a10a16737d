// A restore of many items: in parts that leave the page its turns, while what somebody waits for shows at once.

import { createLiveQueryCollection, createTransaction } from '@tanstack/db'
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
function layer({ collection }: { collection: any }) {
  let tell!: (changes: readonly ViewChange[]) => void
  const connected = tanstackDb({ createTransaction: createTransaction as never, collections: [collection] }).connect({
    observe: (listener) => { tell = listener; return () => {} },
    optimistic: ({ args }) => () => collection.insert(args as Row),
    onRegistered: () => () => {},
    subscribe: () => () => {},
    getSnapshot: () => ({ online: true, paused: [], items: [] }),
    tell: ({ error }) => { throw error },
  })
  return { ...connected, tell }
}

test('no turn publishes more than a part of it, to a live query either', async () => {
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
    expect(Math.max(...told)).toBeLessThanOrEqual(PART)
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
