// Restarts, tabs, hooks and collections that come and go: nothing is lost by any of them.

import { collectionOptions, createCollection, createTransaction, DbClient, localOnlyCollectionOptions, localStorageCollectionOptions } from '@tanstack/db'
import { IDBFactory, IDBKeyRange } from 'fake-indexeddb'
import { expect, test, vi } from 'vitest'
import { createOutbox, memoryAdapter, NonRetriableError, squash, type ViewChange } from '../../dist/index.js'
import { tanstackDb, type ViewSource } from '../../dist/tanstack-db.js'
import { answered, outboxOn, remote, type Row } from './support.js'

const adding = (todos: { collection: any }) => ({
  add: answered({ optimistic: (args: any) => { todos.collection.insert(args) } }),
  set: answered({ optimistic: ({ id, ...rest }: any) => { todos.collection.update(id, (draft: any) => { Object.assign(draft, rest) }) } }),
  drop: answered({ optimistic: ({ id }: any) => { todos.collection.delete(id) } }),
})

test('after a restart what is pending shows before `ready`, published once', async () => {
  const storage = memoryAdapter()
  const first = outboxOn({ todos: remote('before') }, adding(remote('unused')), { name: 'restart', storage, online: false })
  for (let n = 0; n < 300; n += 1) await first.mutate.add({ id: `t${n}`, n })
  await first.dispose()

  const todos = remote('after')
  let batches = 0
  todos.collection.subscribeChanges(() => { batches += 1 })
  const outbox = outboxOn({ todos }, adding(todos), { name: 'restart', storage, online: false })
  await outbox.ready
  expect([todos.collection.size, batches, outbox.getSnapshot().status]).toEqual([300, 1, 'ready'])
  expect(todos.collection.get('t7')).toMatchObject({ n: 7 })
})

test('told a large restore again, there is nothing to wait for', async () => {
  const todos = remote('todos')
  const view = tanstackDb({ createTransaction: createTransaction as never, collections: [todos.collection] })
  let tell!: (changes: readonly ViewChange[]) => void
  const source: ViewSource = {
    observe: (listener) => { tell = listener; return () => {} }, optimistic: ({ args }) => () => { todos.collection.insert(args) },
    onRegistered: () => () => {}, subscribe: () => () => {}, getSnapshot: () => ({ online: false, paused: [], items: [] }), tell: () => {},
  }
  const connected = view.connect(source)
  const changes = Array.from({ length: 600 }, (_, at) => ({ kind: 'set', replay: true, item: { id: `${at}`, seq: at + 1, args: { id: `${at}` }, mutatorName: 'add' } })) as unknown as ViewChange[]
  tell(changes)
  await connected.shown()
  expect(todos.collection.size).toBe(600)
  tell(changes)
  expect(connected.shown()).toBeUndefined()
})

test('600 items that a start without the view has shown hold up no start with it', async () => {
  Object.assign(globalThis, { indexedDB: new IDBFactory(), IDBKeyRange })
  const offline = { leaderElection: 'none', onlineDetector: { isOnline: () => false, subscribe: () => () => {} } } as const
  const before = createOutbox({ mutators: { add: async () => {} }, ...offline })
  await before.ready
  await Promise.all(Array.from({ length: 600 }, (_, at) => before.mutate.add({ id: `${at}` }, { key: `${at}` })))
  await before.dispose()
  const todos = remote('todos')
  vi.resetModules()
  const page = await import('../../dist/index.js')
  const { tanstackDb: viewOf } = await import('../../dist/tanstack-db.js')
  const { createOfflineTransaction } = page.registerOfflineMutators({ add: { mutate: async () => {}, optimistic: (args: any) => { todos.collection.insert(args) } } })
  await createOfflineTransaction({ mutatorName: 'add' })({ id: 'new' })
  const outbox = page.startOfflineExecutor({ view: viewOf({ createTransaction: createTransaction as never, collections: [todos.collection] }), ...offline })
  await outbox.ready
  expect(todos.collection.size).toBe(601)
  await outbox.dispose()
  Reflect.deleteProperty(globalThis, 'indexedDB')
})

test('replayed items are told apart from new ones', async () => {
  const storage = memoryAdapter()
  const seen: unknown[] = []
  const mutators = { add: { mutate: () => new Promise(() => {}), optimistic: (_: any, item: any) => { seen.push(item) } } }
  const first = outboxOn({}, mutators, { name: 'replay', storage, online: false })
  const { id } = await first.mutate.add({ id: '1' })
  expect(seen).toEqual([{ id, seq: null, replay: false }])
  await first.dispose()
  seen.length = 0
  await outboxOn({}, mutators, { name: 'replay', storage, online: false }).ready
  expect(seen).toEqual([{ id, seq: 1, replay: true }])
})

test('settling waits for `confirmed`, in the leader and in a follower: no row is deleted and inserted again', async () => {
  const storage = memoryAdapter()
  const tabs = ['leader', 'follower'].map((name) => {
    const todos = remote(name).watch()
    let arrive!: () => void
    const arrived = new Promise<void>((resolve) => { arrive = resolve })
    const add = answered({
      optimistic: (args: Row) => { todos.collection.insert(args) },
      confirmed: () => arrived,
    })
    return { todos, add, arrive: () => { todos.base(['insert', { id: '1', rev: 1 }]); arrive() } }
  }) as any[]
  const [leader, follower] = tabs
  const outbox = outboxOn({ todos: leader.todos }, { add: leader.add }, { storage })
  await outbox.idle()
  // The follower's view is told what a follower is told: the item, and later how it ended.
  let tell!: (changes: any) => void
  let confirming: Promise<void> | undefined
  tanstackDb({ createTransaction: createTransaction as never, collections: [follower.todos.collection] }).connect({
    observe: (listener) => { tell = listener; return () => {} },
    optimistic: ({ args }) => () => follower.add.optimistic(args),
    onRegistered: () => () => {}, subscribe: () => () => {}, getSnapshot: () => ({ online: true, paused: [], items: [] }), tell: () => {},
  })
  await outbox.mutate.add({ id: '1' })
  await outbox.idle()
  const [item] = outbox.getSnapshot().items
  tell([{ kind: 'set', item, replay: false }])
  leader.add.next().resolve({ rev: 1 })
  await outbox.idle()
  expect(outbox.getSnapshot().items).toMatchObject([{ state: 'confirming' }])
  confirming = follower.add.confirmed().then(() => tell([{ kind: 'left', item, outcome: { kind: 'committed', result: { rev: 1 } } }]))
  for (const tab of tabs) {
    expect(Object.keys(tab.todos.rows())).toEqual(['1'])
    tab.arrive()
  }
  await Promise.all([outbox.idle(), confirming])
  expect(outbox.getSnapshot().items).toEqual([])
  for (const tab of tabs) {
    expect(tab.todos.rows()).toEqual({ 1: { id: '1', rev: 1 } })
    const events = tab.todos.events()
    expect(events[0]).toBe('insert 1')
    expect(events.slice(1).every((event: string) => event === 'update 1')).toBe(true)
  }
})

test('what the hook rewrites, removes and squashes is drawn anew, in one step', async () => {
  const todos = remote('todos').watch()
  todos.base(['insert', { id: '1' }], ['insert', { id: '2' }])
  const calls = adding(todos)
  const outbox = outboxOn({ todos }, calls, {
    beforeRetry: (items: any[]) => {
      const [first, second, ...rest] = items
      if (items.length < 4) return items
      return [squash(first, second, { ...first.args, ...second.args }), ...rest.map((item) => item.args.text === 'gone' ? undefined : { ...item, args: { ...item.args, text: 'rewritten' } }).filter(Boolean)]
    },
  })
  await outbox.mutate.set({ id: '1', n: 1 })
  await outbox.mutate.set({ id: '1', done: true })
  await outbox.mutate.set({ id: '2', text: 'gone' })
  await outbox.mutate.set({ id: '2', text: 'kept' })
  await outbox.idle()
  expect(todos.rows()).toEqual({ 1: { id: '1', n: 1, done: true }, 2: { id: '2', text: 'kept' } })
  todos.events()
  while (calls.set.waiting.length > 0) calls.set.next().reject(new Error('again'))
  await outbox.advance(2_000)
  expect(todos.rows()).toEqual({ 1: { id: '1', n: 1, done: true }, 2: { id: '2', text: 'rewritten' } })
  expect(outbox.getSnapshot().items.map(({ args }) => args)).toEqual([{ id: '1', n: 1, done: true }, { id: '2', text: 'rewritten' }])
  expect(todos.events()).toEqual(['update 2'])
})

test('truncate and refetch, cleanup and start: pending items stay, over what is there now', async () => {
  const todos = remote('todos')
  todos.base(['insert', { id: '1', text: 'old' }])
  const outbox = outboxOn({ todos }, adding(todos), { online: false })
  await outbox.idle()
  outbox.setOnline(false)
  await outbox.mutate.add({ id: 'mine' })
  await outbox.mutate.set({ id: '1', done: true })
  todos.refetch({ id: '1', text: 'new' }, { id: '2' })
  expect(todos.rows()).toEqual({ 1: { id: '1', text: 'new', done: true }, 2: { id: '2' }, mine: { id: 'mine' } })
  await todos.collection.cleanup()
  expect(todos.collection.status).toBe('cleaned-up')
  await todos.collection.preload()
  // The update waits for its row.
  expect(todos.rows()).toEqual({ mine: { id: 'mine' } })
  todos.base(['insert', { id: '1', text: 'again' }])
  expect(todos.rows()).toEqual({ 1: { id: '1', text: 'again', done: true }, mine: { id: 'mine' } })
})

test('a collection that is not ready: inserts show at once, updates and deletes once their row is there', async () => {
  const todos = remote('todos', { ready: false })
  const outbox = outboxOn({ todos }, adding(todos), { online: false })
  await outbox.mutate.add({ id: 'mine' })
  await outbox.mutate.set({ id: '1', done: true })
  await outbox.mutate.drop({ id: '2' })
  expect(todos.rows()).toEqual({ mine: { id: 'mine' } })
  todos.base(['insert', { id: '1', text: 'old' }], ['insert', { id: '2' }])
  todos.markReady()
  expect(todos.rows()).toEqual({ 1: { id: '1', text: 'old', done: true }, mine: { id: 'mine' } })
  expect(outbox.told.filter(({ type }) => type === 'optimisticFailed')).toEqual([])
})

test('a collection that is made later, and a mutator that is registered later', async () => {
  const holder: { todos?: ReturnType<typeof remote> } = {}
  const outbox = outboxOn({}, { add: answered({ optimistic: (args: any) => { holder.todos!.collection.insert(args) } }) }, { online: false })
  const { id } = await outbox.mutate.add({ id: '1' })
  await outbox.idle()
  const failed = () => outbox.told.filter(({ type }) => type === 'optimisticFailed')
  expect(failed()).toMatchObject([{ id, mutatorName: 'add', error: expect.any(TypeError) }])
  holder.todos = remote('late')
  outbox.view.add(holder.todos.collection)
  expect(holder.todos.rows()).toEqual({ 1: { id: '1' } })
  expect(failed()).toHaveLength(1)
  expect(outbox.getSnapshot().items).toHaveLength(1)
})

test('what is there already, or gone already, is in the base: it comes back if the base loses it again', async () => {
  const todos = remote('todos')
  todos.base(['insert', { id: '1', text: 'server' }])
  const outbox = outboxOn({ todos }, adding(todos), { online: false })
  await outbox.mutate.add({ id: '1', text: 'mine' })
  await outbox.mutate.drop({ id: '2' })
  expect(todos.rows()).toEqual({ 1: { id: '1', text: 'server' } })
  todos.base(['delete', '1'], ['insert', { id: '2' }])
  expect(todos.rows()).toEqual({ 1: { id: '1', text: 'mine' } })
  expect(outbox.told.filter(({ type }) => type === 'optimisticFailed')).toEqual([])
})

test('an error is told once, half of a mutation never shows, and the item is sent all the same', async () => {
  const todos = remote('todos')
  const bad = answered({ optimistic: (args: any) => { todos.collection.insert(args); throw new Error('half done') } })
  const later = answered({ optimistic: async () => {} })
  const outbox = outboxOn({ todos }, { bad, later })
  await outbox.mutate.bad({ id: '1' })
  await outbox.mutate.later({ id: '2' })
  todos.base(['insert', { id: '3' }])
  todos.base(['delete', '3'])
  await outbox.idle()
  expect(outbox.told.filter(({ type }) => type === 'optimisticFailed')).toMatchObject([
    { mutatorName: 'bad', error: { message: 'half done' } }, { mutatorName: 'later', error: { message: expect.stringMatching(/synchronous/) } },
  ])
  expect(todos.rows()).toEqual({})
  bad.next().resolve()
  later.next().resolve()
  await outbox.idle()
  expect(await outbox.peekOutbox()).toEqual([])
})

test('a write that cannot be stored is taken back in the same turn (R1)', async () => {
  const todos = remote('todos').watch()
  const outbox = outboxOn({ todos }, adding(todos), { maxArgsBytes: 100 })
  await outbox.idle()
  await expect(outbox.mutate.add({ id: '1', text: 'x'.repeat(200) })).rejects.toThrow(/maxArgsBytes|100/)
  expect(todos.rows()).toEqual({})
})

test('a collection without a server keeps what was committed', async () => {
  const local: any = createCollection(localOnlyCollectionOptions({ id: 'local', getKey: (row: Row) => row.id }) as never)
  const seen: string[] = []
  local.subscribeChanges((changes: any[]) => seen.push(...changes.map(({ type }) => type)))
  const calls = { add: answered({ optimistic: (args: any) => { local.insert(args) } }) }
  const outbox = outboxOn({ local: { collection: local } }, calls)
  await outbox.mutate.add({ id: '1', n: 1 })
  await outbox.mutate.add({ id: '2', n: 2 })
  await outbox.idle()
  calls.add.next().resolve()
  calls.add.next().reject(new NonRetriableError('no'))
  await outbox.idle()
  expect(local.toArray).toMatchObject([{ id: '1', n: 1 }])
  expect(seen.filter((type) => type === 'delete')).toHaveLength(1)
})

test('a collection in local storage, too', async () => {
  const texts = new Map<string, string>()
  const storage = { getItem: (key: string) => texts.get(key) ?? null, setItem: (key: string, text: string) => { texts.set(key, text) }, removeItem: (key: string) => { texts.delete(key) } }
  const local: any = createCollection(localStorageCollectionOptions({
    id: 'kept', storageKey: 'kept', storage, storageEventApi: { addEventListener: () => {}, removeEventListener: () => {} }, getKey: (row: Row) => row.id,
  } as never) as never)
  const seen: string[] = []
  local.subscribeChanges((changes: any[]) => seen.push(...changes.map(({ type }) => type)))
  const calls = { add: answered({ optimistic: (args: any) => { local.insert(args) } }) }
  const outbox = outboxOn({ local: { collection: local } }, calls)
  await outbox.mutate.add({ id: '1', n: 1 })
  await outbox.idle()
  expect(texts.get('kept') ?? '').not.toContain('"n":1')
  calls.add.next().resolve()
  await outbox.idle()
  expect(local.toArray).toMatchObject([{ id: '1', n: 1 }])
  expect(texts.get('kept')).toContain('"n":1')
  expect([seen.includes('delete'), local._state.transactions.size]).toEqual([false, 0])
})

test('a persisting transaction of the app holds the sync: the row of an item that settles meanwhile does not blink', async () => {
  const todos = remote('todos').watch()
  const calls = adding(todos)
  const outbox = outboxOn({ todos }, calls)
  let done!: () => void
  const theirs: any = createTransaction({ autoCommit: false, mutationFn: () => new Promise<void>((resolve) => { done = resolve }) })
  theirs.mutate(() => todos.collection.insert({ id: 'theirs' }))
  void theirs.commit()
  await outbox.mutate.add({ id: '1' })
  await outbox.mutate.set({ id: '1', done: true })
  await outbox.idle()
  todos.base(['insert', { id: '1', rev: 1 }])
  calls.add.next().resolve()
  await outbox.idle()
  expect(todos.rows()[1]).toMatchObject({ id: '1', done: true })
  calls.set.next().resolve()
  await outbox.idle()
  expect(Object.keys(todos.rows())).toEqual(['1', 'theirs'])
  done()
  await outbox.idle()
  await new Promise((resolve) => setTimeout(resolve, 5))
  expect(todos.rows()[1]).toEqual({ id: '1', rev: 1 })
  expect(todos.events().filter((event) => event === 'delete 1')).toEqual([])
})

test('after a reconnect, refetches wait until the outbox has drained', async () => {
  const todos = remote('todos')
  const calls = adding(todos)
  const outbox = outboxOn({ todos }, calls, { online: false })
  await outbox.idle()
  await outbox.mutate.add({ id: '1' })
  await outbox.idle()
  expect(todos.collection.deferDataRefresh).toBe(null)
  outbox.setOnline(true)
  await outbox.idle()
  const barrier = todos.collection.deferDataRefresh
  expect(barrier).toBeInstanceOf(Promise)
  await outbox.advance(60_000)
  calls.add.next().resolve()
  await outbox.idle()
  await barrier
  expect(todos.collection.deferDataRefresh).toBe(null)
})

test('a barrier that lasts is lifted in time for `confirmed`', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  try {
    const todos = remote('todos')
    const outbox = outboxOn({ todos }, adding(todos), { online: false })
    await outbox.idle()
    await outbox.mutate.add({ id: '1' })
    outbox.setOnline(true)
    await outbox.idle()
    const barrier = todos.collection.deferDataRefresh
    expect(barrier).toBeInstanceOf(Promise)
    vi.advanceTimersByTime(4_000)
    await barrier
    expect(todos.collection.deferDataRefresh).toBe(null)
  } finally {
    vi.useRealTimers()
  }
})

test('started again with another view, the items show by that one; disposed, nothing is left of them', async () => {
  const [one, two] = [remote('one'), remote('two')]
  const storage = memoryAdapter()
  const name = `views-${Math.random()}`
  const viewOf = ({ collection }: { collection: any }) => tanstackDb({ createTransaction: createTransaction as never, collections: [collection] })
  let current: { collection: any } = one
  const mutators = { add: { mutate: () => new Promise(() => {}), optimistic: (args: any) => { current.collection.insert(args) } } }
  const start = (view: ReturnType<typeof viewOf>) => createOutbox({ name, storage, mutators, view } as never) as any
  const first = start(viewOf(one))
  await first.ready
  await first.mutate.add({ id: '1' })
  expect(one.rows()).toEqual({ 1: { id: '1' } })
  current = two
  const second = start(viewOf(two))
  expect([one.rows(), two.rows()]).toEqual([{}, { 1: { id: '1' } }])
  await first.dispose()
  expect(two.rows()).toEqual({ 1: { id: '1' } })
  await second.dispose()
  expect([one.rows(), two.rows()]).toEqual([{}, {}])
  expect(Object.keys(two.collection._state).filter((property) => ['recomputeOptimisticState', 'trackTransaction', 'cleanup'].includes(property))).toEqual([])
})

test('collections of a DbClient, which numbers transactions itself: the order is that of the items', async () => {
  const client: any = new (DbClient as any)()
  const collection = client.collection((collectionOptions as any)({ id: 'owned', getKey: (row: Row) => row.id, sync: { sync: ({ markReady }: any) => markReady() } }))
  const todos = { collection, rows: () => collection.toArray.map(({ id, n, done }: any) => ({ id, n, done })) }
  const calls = adding(todos)
  const outbox = outboxOn({ todos }, calls, { online: false })
  await outbox.idle()
  await outbox.mutate.add({ id: '1', n: 1 })
  await outbox.mutate.set({ id: '1', n: 2 })
  await outbox.mutate.set({ id: '1', n: 3, done: true })
  await outbox.idle()
  expect(outbox.told.filter(({ type }) => type === 'viewDegraded' || type === 'optimisticFailed')).toEqual([])
  expect(todos.rows()).toEqual([{ id: '1', n: 3, done: true }])
  await outbox.removeFromOutbox(outbox.getSnapshot().items[1]!.id)
  await outbox.removeFromOutbox(outbox.getSnapshot().items[1]!.id)
  await outbox.idle()
  expect(todos.rows()).toEqual([{ id: '1', n: 1, done: undefined }])
  expect([...collection._state.transactions.values()].map((tx: any) => tx.sequenceNumber)).toEqual([1])
})

test('`arrived` sees the server\'s row beneath what is pending over it, also when it is deleted', async () => {
  const todos = remote('todos').watch()
  todos.base(['insert', { id: '1', rev: 1 }], ['insert', { id: '2', rev: 1 }])
  const order: string[] = []
  const calls: any = {
    set: answered({
      optimistic: ({ id, ...rest }: any) => { todos.collection.update(id, (draft: any) => { Object.assign(draft, rest) }) },
      confirmed: (result: any, { id }: any, signal: AbortSignal) => outbox.view.arrived(todos.collection, id, (row: any) => row?.rev >= result.rev, signal).then(() => order.push('set')),
    }),
    drop: answered({
      optimistic: ({ id }: any) => { todos.collection.delete(id) },
      confirmed: (_: any, { id }: any, signal: AbortSignal) => outbox.view.arrived(todos.collection, id, (row) => row === undefined, signal).then(() => order.push('drop')),
    }),
  }
  const outbox = outboxOn({ todos }, calls)
  await outbox.mutate.set({ id: '1', rev: 99 })
  await outbox.mutate.drop({ id: '2' })
  await outbox.idle()
  todos.events()
  calls.set.next().resolve({ rev: 2 })
  calls.drop.next().resolve()
  await outbox.idle()
  expect(outbox.getSnapshot().items).toMatchObject([{ state: 'confirming' }, { state: 'confirming' }])
  todos.base(['update', { id: '1', rev: 2 }])
  await outbox.idle()
  expect(order).toEqual(['set'])
  todos.base(['delete', '2'])
  await outbox.idle()
  expect([order, todos.rows(), outbox.getSnapshot().items]).toEqual([['set', 'drop'], { 1: { id: '1', rev: 2 } }, []])
  expect(todos.events().filter((event) => !event.startsWith('update'))).toEqual([])
  const controller = new AbortController()
  const never = outbox.view.arrived(todos.collection, '1', () => false, controller.signal)
  controller.abort(new Error('late'))
  await expect(never).rejects.toThrow('late')
  await expect(outbox.view.arrived(todos.collection, '1', () => { throw new Error('bad') })).rejects.toThrow('bad')
})
