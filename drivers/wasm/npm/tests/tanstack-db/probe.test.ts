// What is tried at the start: one copy of TanStack DB, and the inside that we know; and the way without it.

import { createCollection, createTransaction } from '@tanstack/db'
import * as lowest from 'tanstack-db-lowest'
import * as newest from 'tanstack-db-newest'
import { expect, test } from 'vitest'
import { createTestOutbox } from '../../dist/index.js'
import { tanstackDb } from '../../dist/tanstack-db.js'
import { answered, outboxOn, remote, type Row } from './support.js'

test('this build is known: nothing is degraded', async () => {
  const todos = remote('todos')
  const outbox = outboxOn({ todos }, { add: async () => {} })
  await outbox.idle()
  expect(outbox.told.filter(({ type }) => type === 'viewDegraded')).toEqual([])
  await outbox.dispose()
})

test('two copies are an error that says what to do, and nothing is started', () => {
  const collection = (newest as any).createCollection({ id: 'x', getKey: (row: Row) => row.id, sync: { sync: () => {} } })
  const view = tanstackDb({ createTransaction: (lowest as any).createTransaction, collections: { collection } })
  expect(() => createTestOutbox({ mutators: {}, view } as never)).toThrow(/two copies of @tanstack\/db.*npm ls @tanstack\/db/)
  expect(() => tanstackDb({ createTransaction: undefined as never, collections: [] })).toThrow(/createTransaction/)
  expect(() => tanstackDb({ createTransaction: createTransaction as never, collections: { oops: {} as never } })).toThrow(/createCollection/)
})

test('the start does not start a collection', async () => {
  const todos = remote('todos', { lazy: true })
  const outbox = outboxOn({ todos }, { add: answered({ optimistic: (args: any) => { todos.collection.insert(args) } }) })
  await outbox.idle()
  expect([todos.collection.status, todos.starts()]).toEqual(['idle', 0])
  await outbox.mutate.add({ id: '1' })
  expect([todos.rows(), todos.starts()]).toEqual([{ 1: { id: '1' } }, 1])
})

test('an inside that is not known: items show all the same, and an event says so', async () => {
  const known: any = createCollection({ id: 'known', getKey: (row: Row) => row.id, sync: { sync: () => {} } } as never)
  const State = Object.getPrototypeOf(known._state)
  const { onTransactionStateChange, recomputeOptimisticState } = State
  // A build in which a recompute goes by another name.
  State.recompute2 = recomputeOptimisticState
  Object.defineProperty(State, 'recomputeOptimisticState', { configurable: true, get: () => function (this: any, is: boolean) { return this.recompute2(is) }, set() {} })
  try {
    const todos = remote('todos')
    const calls = { add: answered({ optimistic: (args: any) => { todos.collection.insert(args) } }) }
    const outbox = outboxOn({ todos }, calls)
    await outbox.mutate.add({ id: '1' })
    await outbox.mutate.add({ id: '2' })
    await outbox.idle()
    expect(outbox.told.filter(({ type }) => type === 'viewDegraded')).toMatchObject([{ error: { message: expect.stringMatching(/not one we know/) } }])
    expect(Object.keys(todos.rows())).toEqual(['1', '2'])
    todos.base(['insert', { id: '3' }])
    await outbox.removeFromOutbox(outbox.getSnapshot().items[0]!.id)
    await outbox.idle()
    expect(Object.keys(todos.rows())).toEqual(['2', '3'])
  } finally {
    Object.defineProperty(State, 'recomputeOptimisticState', { configurable: true, writable: true, value: recomputeOptimisticState })
    Object.assign(State, { onTransactionStateChange })
    delete State.recompute2
  }
})
