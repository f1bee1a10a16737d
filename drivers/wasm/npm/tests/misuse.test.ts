// What an app does wrong, or at a bad moment: it is told, and nobody else suffers.

import { afterEach, expect, test, vi } from 'vitest'
import {
  createOutbox, createTestOutbox, deleteOutbox, kvStore, memoryAdapter, type Attempt, type OutboxEvent, type ViewChange,
} from '../dist/index.js'

const open: { dispose(): Promise<void> }[] = []
afterEach(async () => {
  vi.restoreAllMocks()
  vi.unstubAllGlobals()
  await Promise.all(open.splice(0).map((outbox) => outbox.dispose()))
})
const kept = <O extends { dispose(): Promise<void> }>(outbox: O): O => { open.push(outbox); return outbox }
const thrown = (work: Promise<unknown>): Promise<any> => work.then(() => { throw new Error('it did not throw') }, (error: unknown) => error)
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** Makes stores for one process, all of the same texts. */
function texts() {
  const map = new Map<string, string>()
  return () => kvStore({
    get: (key) => map.get(key), set: (key, value) => void map.set(key, value), delete: (key) => void map.delete(key), keys: () => [...map.keys()],
  })
}

test('an outbox that is opened again while it still closes waits, if its store is for one: nothing is lost', async () => {
  const store = texts()
  const sent: unknown[] = []
  let answer!: () => void
  const answered = new Promise<void>((resolve) => { answer = resolve })
  const slow = async ({ args }: Attempt<string>) => { sent.push(args); await answered }
  const storage = store()
  const one = createOutbox({ name: 'again', storage, mutators: { m: slow } })
  await one.mutate.m('a')
  await vi.waitFor(() => expect(sent).toEqual(['a']))
  const disposed = one.dispose()
  await sleep(5)

  const two = kept(createOutbox({ name: 'again', storage: store(), mutators: { m: async () => undefined } }))
  const paused = two.pause('login')
  const stored = two.mutate.m('b')
  answer()
  await Promise.all([disposed, paused, stored])
  await two.dispose()

  const three = kept(createOutbox({ name: 'again', storage, mutators: { m: async () => undefined } }))
  await three.ready
  expect(three.getSnapshot()).toMatchObject({ paused: ['login'], items: [{ args: 'b' }] })
})

test('a storage of one\'s own is not closed under the outbox that was started meanwhile', async () => {
  const storage = memoryAdapter().connect()
  const calls: string[] = []
  const { open: opened, close: closed } = storage
  Object.assign(storage, {
    open: (name: string) => { calls.push('open'); return opened.call(storage, name) },
    close: () => { calls.push('close'); closed.call(storage) },
  })
  const mutators = { m: () => sleep(50) }
  const one = createOutbox({ name: 'own', storage, mutators, leaderElection: 'none' })
  await one.mutate.m(1)
  const disposed = one.dispose()
  await sleep(5)
  const two = kept(createOutbox({ name: 'own', storage, mutators, leaderElection: 'none' }))
  await two.mutate.m(2)
  await disposed
  expect(calls).toEqual(['open', 'close', 'open'])
})

test('a wrong call before the core is there fails, and the start goes on', async () => {
  const outbox = kept(createOutbox({ name: 'wrong', storage: memoryAdapter(), mutators: { m: async () => 1 } }))
  const wrong = [
    outbox.removeFromOutbox(undefined as never), outbox.dismissFailure(5 as never), outbox.pause({} as never),
    outbox.retryFailure(5 as never), outbox.mutate.m(1, { idempotencyKey: 5 as never }), outbox.mutate.m(1, { idempotencyKey: 'ключ' }),
  ]
  for (const error of await Promise.all(wrong.map(thrown))) expect(error).toMatchObject({ name: 'InputError' })
  await outbox.ready
  expect(await (await outbox.mutate.m(1, { idempotencyKey: 'order 7' })).settled).toMatchObject({ result: 1 })
})

test('options of the wrong kind are refused by their name', () => {
  const refused = (options: object, field: string) => {
    const make = () => createOutbox({ name: 'options', storage: memoryAdapter(), mutators: {}, ...options } as never)
    expect(make).toThrow(expect.objectContaining({ name: 'InputError', field }))
  }
  refused({ timeout: '5' }, 'timeout')
  refused({ maxConcurrency: 1.5 }, 'maxConcurrency')
  refused({ jitter: 'yes' }, 'jitter')
  refused({ storage: 'indexeddb' }, 'storage')
  refused({ storage: memoryAdapter }, 'storage')
  refused({ mutators: undefined }, 'mutators')
  refused({ mutators: { m: { mutate: async () => 1, timeout: '5' } } }, 'mutators.m.timeout')
  refused({ mutators: { m: { mutate: async () => 1, retry: {} } } }, 'mutators.m.retry.maxAttempts')
  refused({ mutators: { m: { mutate: async () => 1, retry: { maxAttempts: 1, then: 'dropp' } } } }, 'mutators.m.retry.then')
  refused({ onlineDetector: {} }, 'onlineDetector')
  refused({ name: 'é'.repeat(129) }, 'name')
})

test('a hook that comes with a later start than the first is refused, not forgotten', async () => {
  const options = { name: 'hook', storage: memoryAdapter(), mutators: { m: async () => 1 } }
  const outbox = kept(createOutbox(options))
  await outbox.ready
  expect(() => createOutbox({ ...options, beforeRetry: (items) => items })).toThrow('give it to the first start')
})

test.each(['whoever leads it', 'everybody'])('a store that fences off %s is asked every few seconds, not without a pause', async (whom) => {
  const storage = memoryAdapter().connect()
  const asked = vi.fn()
  const acquired = vi.fn(storage.acquire.bind(storage))
  const { persist } = storage
  Object.assign(storage, {
    acquire: acquired,
    persist: (...[fence, writes]: Parameters<typeof persist>) => {
      asked()
      if (fence === undefined && whom !== 'everybody') return persist.call(storage, fence, writes)
      return Promise.reject(Object.assign(new Error('not you'), { code: 'fenced' }))
    },
  })
  const outbox = kept(createTestOutbox({ storage, leaderElection: 'none', mutators: { m: async () => 1 } }))
  const stored = outbox.mutate.m(1).catch((error: unknown) => error)
  await outbox.advance(60_000)
  if (whom === 'everybody') expect(await stored).toMatchObject({ code: 'unavailable' })
  else expect(acquired.mock.calls.length).toBeGreaterThan(5)
  for (const { mock } of [acquired, asked]) expect(mock.calls.length).toBeLessThan(20)
})

test('a detector that goes on after its end harms nobody', async () => {
  let tell!: (online: boolean) => void
  const onlineDetector = { isOnline: () => true, subscribe: (changed: typeof tell) => { tell = changed; return () => {} } }
  const outbox = createOutbox({ name: 'detector', storage: memoryAdapter(), mutators: {}, onlineDetector })
  await outbox.ready
  await outbox.dispose()
  tell(false)
})

test('what is stored while the outbox is being deleted is the new one\'s, and stays', async () => {
  // As IndexedDB: one connection may open while another one closes.
  const storage = { ...memoryAdapter(), shared: true }
  const start = (mutate: () => Promise<unknown>) => createOutbox({ name: 'deleted', storage, leaderElection: 'none', mutators: { m: mutate } })
  const before = start(() => new Promise(() => {}))
  await before.mutate.m('old')
  await vi.waitFor(() => expect(before.getSnapshot().items).toMatchObject([{ state: 'sending' }]))
  const deleted = deleteOutbox('deleted', { storage })
  const after = kept(start(async () => 'sent'))
  await after.pause('test')
  const { settled } = await after.mutate.m('new')
  await deleted
  expect((await after.peekOutbox()).map(({ args }) => args)).toEqual(['new'])
  await after.resume('test')
  expect(await settled).toMatchObject({ result: 'sent' })
})

test('an item that shows before the core is there has its lane', async () => {
  const outbox = kept(createTestOutbox({ mutators: { m: async () => 1 }, online: false }))
  const stored = [{ id: 7 }, { ids: ['a', 'b'] }, 'none'].map((args) => outbox.mutate.m(args))
  const lanes = () => outbox.getSnapshot().items.map(({ key }) => key)
  expect(lanes()).toEqual([['7'], ['a', 'b'], 'unknown'])
  await Promise.all(stored)
  expect(lanes()).toEqual([['7'], ['a', 'b'], 'unknown'])
})

test('an observer that throws is reported; the others, and the call, go on in order', async () => {
  const reported = vi.fn()
  vi.stubGlobal('reportError', reported)
  const outbox = kept(createTestOutbox({ mutators: { m: async () => 1 }, online: false }))
  await outbox.ready
  const seen: string[] = []
  const stop = outbox.observe((changes) => {
    if (changes.length > 0) throw new Error('mine')
  })
  outbox.observe((changes) => {
    if (changes.some(({ item }) => item.args === 'a' && item.seq === null)) void outbox.mutate.m('b')
  })
  outbox.observe((changes) => seen.push(...changes.map(({ item }: ViewChange) => `${String(item.args)}@${item.seq}`)))
  await outbox.mutate.m('a')
  await outbox.idle()
  stop()
  expect(reported).toHaveBeenCalledWith(new Error('mine'))
  expect(seen.slice(0, 2)).toEqual(['a@null', 'b@null'])
  expect(seen).toHaveLength(4)
})

test('whatever is thrown, the attempt has ended', async () => {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  const oddities: unknown[] = [
    Object.assign(new Error('asked'), { retryAfter: null }), { retryAfter: {} }, Object.create(null), proxy,
    { get message() { throw new Error('no') } }, { message: Object.create(null) },
  ]
  const outbox = kept(createTestOutbox({
    mutators: { m: async ({ args, attempt }: Attempt<number>) => { if (attempt === 1) throw oddities[args] } },
  }))
  const failed: OutboxEvent[] = []
  outbox.on('attemptFailed', (event) => failed.push(event))
  const receipts = await Promise.all(oddities.map((_, number) => outbox.mutate.m(number, { key: String(number) })))
  await outbox.advance(10_000)
  for (const { settled } of receipts) expect(await settled).toMatchObject({ status: 'committed' })
  expect(failed).toHaveLength(oddities.length)
})

test('an upgrade that returns nothing is refused: the args stay as they are stored (R23)', async () => {
  const storage = memoryAdapter()
  const before = createOutbox({ name: 'old', storage, mutators: { m: async () => undefined }, onlineDetector: { isOnline: () => false, subscribe: () => () => {} } })
  await before.mutate.m({ text: 'x' })
  await before.dispose()
  const sent: unknown[] = []
  const told: OutboxEvent[] = []
  const after = kept(createOutbox({
    name: 'old', storage, mutators: { m: { mutate: async ({ args }: Attempt<unknown>) => { sent.push(args) }, upgrade: (() => undefined) as never } },
  }))
  after.on('upgradeFailed', (event) => told.push(event))
  await vi.waitFor(() => expect(sent).toEqual([{ text: 'x' }]))
  expect(told).toMatchObject([{ mutatorName: 'm', error: { name: 'InputError' } }])
})

test('who waits for an item of an outbox that is deleted is told that it is not stored any longer', async () => {
  const outbox = createOutbox({ name: 'gone', storage: memoryAdapter(), mutators: { m: async () => undefined } })
  await outbox.pause('test')
  const { settled } = await outbox.mutate.m(1)
  await deleteOutbox('gone')
  expect(await thrown(settled)).toMatchObject({ name: 'StoppedError', message: expect.stringContaining('not stored any longer') })
})
