// The requirements' example and its order, over IndexedDB: enqueue before start, starts counted by name, hot reload.

import 'fake-indexeddb/auto'
import { beforeEach, expect, test, vi } from 'vitest'

// Without Web Locks, as in node, leases elect the leader, which takes seconds, and more on a busy machine: only the
// first test waits for that.
const leaderElection = 'none'

type Package = typeof import('../dist/index.js')
let outbox: Package

beforeEach(async () => {
  vi.resetModules()
  // A page of its own each time: modules are fresh, what is stored stays.
  outbox = await import('../dist/index.js')
})

const soon = async (condition: () => boolean): Promise<void> => {
  for (let tries = 0; !condition(); tries += 1) {
    if (tries > 2_000) throw new Error('it did not happen within 20 s')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
const thrown = (work: Promise<unknown>): Promise<any> => work.then(() => { throw new Error('it did not throw') }, (error: unknown) => error)

test('the requirements\' example, in its order', async () => {
  const { registerOfflineMutators, createOfflineTransaction, startOfflineExecutor, indexedDbAdapter } = outbox
  const sent: { args: unknown; idempotencyKey: unknown }[] = []
  registerOfflineMutators({
    addTodo: async ({ args, idempotencyKey }) => { sent.push({ args, idempotencyKey }) },
    updateTodo: async () => {},
  })
  const addTodo = createOfflineTransaction({ mutatorName: 'addTodo', enableIdempotencyKey: true })
  const receipt = await addTodo({ id: '123', text: 'Buy milk' })
  // Stored, and nothing is dispatched before start.
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(sent).toEqual([])
  expect(await outbox.peekOutbox()).toMatchObject([{ id: receipt.id, seq: 1, explanation: { reason: { kind: 'notStarted' } } }])
  expect(outbox.defaultOutbox().getSnapshot()).toMatchObject({ status: 'starting', items: [{ state: 'waiting' }] })
  const changes: string[] = []
  outbox.defaultOutbox().observe((batch) => changes.push(...batch.map((change) => change.kind)))

  const executor = startOfflineExecutor({
    maxConcurrency: 4,
    jitter: true,
    beforeRetry: (items) => items,
    storage: indexedDbAdapter(),
    leaderElection: 'auto',
  })
  await executor.ready
  expect(await receipt.settled).toEqual({ status: 'committed', result: undefined, resultKnown: true })
  expect(sent).toEqual([{ args: { id: '123', text: 'Buy milk' }, idempotencyKey: receipt.id }])
  await soon(() => executor.getSnapshot().items.length === 0)
  expect(changes.at(-1)).toBe('left')
  expect(executor.getSnapshot()).toMatchObject({ status: 'ready', leading: true })
  await executor.dispose()
})

test('calls that are made while the store is still opening are kept in order', async () => {
  const sent: string[] = []
  outbox.registerOfflineMutators({ add: async ({ args }) => { sent.push(args.n) } })
  const add = outbox.createOfflineTransaction({ mutatorName: 'add' })
  const first = add({ id: 'x', n: 1 })
  const executor = outbox.startOfflineExecutor({ name: 'outbox', leaderElection })
  const second = add({ id: 'x', n: 2 })
  expect(executor.getSnapshot().items.map(({ args }) => (args as { n: number }).n)).toEqual([1, 2])
  await Promise.all([first, second])
  await soon(() => sent.length === 2)
  expect(sent).toEqual([1, 2])
  await executor.dispose()
})

test('what one page stored, the next one sends', async () => {
  outbox.registerOfflineMutators({ add: async () => { throw new outbox.TransportError('offline') } })
  const executor = outbox.startOfflineExecutor({ name: 'reload', leaderElection })
  const { id } = await outbox.createOfflineTransaction({ mutatorName: 'add' })({ id: '1' })
  await executor.dispose()

  vi.resetModules()
  const next: Package = await import('../dist/index.js')
  const sent: string[] = []
  next.registerOfflineMutators({ add: async (attempt) => { sent.push(attempt.id) } })
  const again = next.startOfflineExecutor({ name: 'reload', leaderElection })
  expect((await again.peekOutbox()).map((item) => item.id)).toEqual([id])
  await soon(() => sent.length === 1)
  expect(sent).toEqual([id])
  await again.dispose()
})

test('start, dispose, start in one turn is one start (StrictMode)', async () => {
  let attempts = 0
  outbox.registerOfflineMutators({ add: async () => { attempts += 1 } })
  const first = outbox.startOfflineExecutor({ name: 'strict', leaderElection })
  const stored = outbox.createOfflineTransaction({ mutatorName: 'add' })({ id: '1' })
  void first.dispose()
  const second = outbox.startOfflineExecutor({ name: 'strict', leaderElection })
  await stored
  await soon(() => attempts === 1)
  expect(second.getSnapshot().status).toBe('ready')
  await Promise.all([first.dispose(), second.dispose()])
  expect(second.getSnapshot().status).toBe('stopped')
})

test('another name or another store is refused with words', async () => {
  outbox.registerOfflineMutators({ add: async () => {} })
  await outbox.createOfflineTransaction({ mutatorName: 'add' })({ id: '1' })
  expect(() => outbox.startOfflineExecutor({ name: 'other' })).toThrow(outbox.AlreadyOpenError)
  expect(() => outbox.startOfflineExecutor({ storage: outbox.memoryAdapter() })).toThrow(/open on another store/)
  const executor = outbox.startOfflineExecutor()
  expect(() => outbox.startOfflineExecutor({ name: 'other' })).toThrow(outbox.AlreadyOpenError)
  await executor.dispose()
  // After the last dispose the next user's outbox may open.
  const other = outbox.startOfflineExecutor({ name: 'other' })
  await other.ready
  await other.dispose()
})

test('a mutator that is registered again is replaced; one that is registered late is sent (R23)', async () => {
  const log: string[] = []
  outbox.registerOfflineMutators({ add: async () => { log.push('old') } })
  const executor = outbox.startOfflineExecutor({ name: 'hot', leaderElection })
  await executor.ready
  outbox.registerOfflineMutators({ add: async () => { log.push('new') }, late: async () => { log.push('late') } })
  await (await outbox.createOfflineTransaction({ mutatorName: 'add' })({ id: '1' })).settled
  await (await outbox.createOfflineTransaction({ mutatorName: 'late' })({ id: '1' })).settled
  expect(log).toEqual(['new', 'late'])
  await executor.dispose()
})

test('the settings are checked by the core, and its words come through (R32)', async () => {
  outbox.registerOfflineMutators({ add: async () => {} })
  const executor = outbox.startOfflineExecutor({ name: 'bad', maxConcurrency: 0 })
  const error = await thrown(executor.ready)
  expect(error.message).toMatch('`maxConcurrency` is 0')
  expect(executor.getSnapshot()).toMatchObject({ status: 'failed' })
  expect(await thrown(outbox.createOfflineTransaction({ mutatorName: 'add' })({ id: '1' }))).toBeInstanceOf(Error)
  await executor.dispose()
  expect(() => outbox.startOfflineExecutor({ beforeRetry: 1 as never })).toThrow(/`beforeRetry` must be a function/)
  expect(() => outbox.startOfflineExecutor({ leaderElection: 'web-locks' })).not.toThrow()
})

test('two outboxes share nothing; deleteOutbox leaves nothing', async () => {
  const down = async (): Promise<void> => { throw new Error('down') }
  const [a, b] = ['user-a', 'user-b'].map((name) => outbox.createOutbox({ name, mutators: { add: down } }))
  await a!.mutate.add({ id: '1' })
  expect(await b!.peekOutbox()).toEqual([])
  await a!.pause('auth')
  expect(b!.getSnapshot().paused).toEqual([])
  await outbox.deleteOutbox('user-a')
  expect(a!.getSnapshot().status).toBe('stopped')
  const again = outbox.createOutbox({ name: 'user-a', mutators: { add: down } })
  expect(await again.peekOutbox()).toEqual([])
  expect(again.getSnapshot().paused).toEqual([])
  await Promise.all([again.dispose(), b!.dispose()])
})

test('createOutbox under the default name is the default outbox; under another it keeps its own mutators', async () => {
  const log: string[] = []
  outbox.registerOfflineMutators({ add: async () => { log.push('default') } })
  const typed = outbox.createOutbox({ mutators: { more: async () => { log.push('more') } }, leaderElection })
  const executor = outbox.startOfflineExecutor({ leaderElection })
  await (await outbox.createOfflineTransaction({ mutatorName: 'add' })({ id: '1' })).settled
  await (await typed.mutate.more({ id: '1' })).settled
  // An earlier page's item may have been sent as well.
  expect(new Set(log)).toEqual(new Set(['default', 'more']))
  await Promise.all([typed.dispose(), executor.dispose()])
  const own = outbox.createOutbox({ name: 'own', mutators: { add: async () => { log.push('own') } }, leaderElection })
  expect(() => outbox.startOfflineExecutor({ name: 'own' })).toThrow(/open with mutators of its own/)
  await own.dispose()
})
