// What the app sees while items are pending, and when they end.

import { createTransaction } from '@tanstack/db'
import { expect, test } from 'vitest'
import { NonRetriableError, RetryError } from '../../dist/index.js'
import { answered, outboxOn, remote } from './support.js'

const mutators = (todos: { collection: any }) => ({
  add: answered({ optimistic: (args: any) => { todos.collection.insert(args) } }),
  set: answered({ optimistic: ({ id, ...rest }: any) => { todos.collection.update(id, (draft: any) => { Object.assign(draft, rest) }) } }),
  drop: answered({ optimistic: ({ id }: any) => { todos.collection.delete(id) } }),
})

test('an item shows in the calling turn; the server\'s row takes its place without a flicker (R1, R22)', async () => {
  const todos = remote('todos').watch()
  const calls = mutators(todos)
  const outbox = outboxOn({ todos }, calls)
  await outbox.idle()
  const stored = outbox.mutate.add({ id: '1', text: 'Buy milk' })
  expect(todos.rows()).toEqual({ 1: { id: '1', text: 'Buy milk' } })
  await stored
  await outbox.idle()
  expect(todos.events()).toEqual(['insert 1'])
  todos.base(['insert', { id: '1', text: 'Buy milk', rev: 1 }])
  expect(todos.rows()).toEqual({ 1: { id: '1', text: 'Buy milk', rev: 1 } })
  calls.add.next().resolve()
  await outbox.idle()
  expect(await outbox.peekOutbox()).toEqual([])
  expect(todos.rows()).toEqual({ 1: { id: '1', text: 'Buy milk', rev: 1 } })
  expect(todos.events().some((event) => event.startsWith('delete'))).toBe(false)
  expect(todos.collection._state.transactions.size).toBe(0)
})

test('while an item is in backoff, remote rows appear, and other fields of its own row change', async () => {
  const todos = remote('todos')
  todos.base(['insert', { id: '1', text: 'old', done: false }])
  const calls = mutators(todos)
  const outbox = outboxOn({ todos }, calls)
  await outbox.mutate.set({ id: '1', done: true })
  await outbox.idle()
  calls.set.next().reject(new RetryError('busy', { retryAfter: 60 }))
  await outbox.idle()
  expect(outbox.getSnapshot().items).toMatchObject([{ retryCount: 1, state: 'waiting' }])
  todos.base(['insert', { id: '2', text: 'remote' }], ['update', { id: '1', text: 'new', done: false }])
  expect(todos.rows()).toEqual({ 1: { id: '1', text: 'new', done: true }, 2: { id: '2', text: 'remote' } })
})

test('dropping one item keeps the other on the same row, and loses its own field', async () => {
  const todos = remote('todos').watch()
  todos.base(['insert', { id: '1', text: 'old', done: false }])
  const calls = mutators(todos)
  const outbox = outboxOn({ todos }, calls)
  await outbox.mutate.set({ id: '1', text: 'mine' })
  await outbox.mutate.set({ id: '1', done: true })
  await outbox.idle()
  expect(todos.rows()).toEqual({ 1: { id: '1', text: 'mine', done: true } })
  todos.events()
  calls.set.next().reject(new NonRetriableError('no'))
  await outbox.idle()
  expect(todos.rows()).toEqual({ 1: { id: '1', text: 'old', done: true } })
  expect(todos.events()).toEqual(['update 1'])
})

test('a foreign transaction that fails on the same row harms nothing', async () => {
  const todos = remote('todos', { config: { onUpdate: async () => { throw new Error('theirs') } } })
  todos.base(['insert', { id: '1', n: 0 }])
  const calls = mutators(todos)
  const outbox = outboxOn({ todos }, calls)
  await outbox.mutate.set({ id: '1', n: 1 })
  await outbox.idle()
  todos.collection.update('1', (draft: any) => { draft.n = 2 })
  expect(todos.rows()[1]).toEqual({ id: '1', n: 2 })
  await outbox.mutate.set({ id: '1', done: true })
  await new Promise((resolve) => setTimeout(resolve, 5))
  expect(todos.rows()[1]).toEqual({ id: '1', n: 1, done: true })
  expect(outbox.getSnapshot().items).toHaveLength(2)
})

test('a rollback of ours takes back nobody else\'s transaction', async () => {
  const todos = remote('todos')
  todos.base(['insert', { id: '1', n: 0 }])
  const calls = mutators(todos)
  const outbox = outboxOn({ todos }, calls)
  await outbox.mutate.set({ id: '1', n: 1 })
  const tx: any = createTransaction({ autoCommit: false, mutationFn: async () => {} })
  tx.mutate(() => todos.collection.update('1', (draft: any) => { draft.text = 'theirs' }))
  await outbox.idle()
  calls.set.next().reject(new NonRetriableError('no'))
  await outbox.idle()
  expect(tx.state).toBe('pending')
  expect(todos.rows()[1]).toMatchObject({ text: 'theirs' })
})

test('what is pending is marked as local and unsynced; what came from the server after a drop is not', async () => {
  const todos = remote('todos')
  todos.base(['insert', { id: '1', n: 0 }], ['insert', { id: '2', n: 0 }])
  const calls = mutators(todos)
  const outbox = outboxOn({ todos }, calls)
  await outbox.mutate.set({ id: '1', n: 1 })
  await outbox.mutate.set({ id: '2', n: 1 })
  await outbox.idle()
  const marks = (id: string) => { const { $synced, $origin } = todos.collection.get(id); return [$synced, $origin] }
  expect([marks('1'), marks('2')]).toEqual([[false, 'local'], [false, 'local']])
  calls.set.next().reject(new NonRetriableError('no'))
  await outbox.idle()
  expect([marks('1'), marks('2')]).toEqual([[true, 'remote'], [false, 'local']])
  todos.base(['update', { id: '1', n: 5 }], ['update', { id: '2', n: 5 }])
  expect([marks('1'), marks('2')]).toEqual([[true, 'remote'], [false, 'local']])
})
