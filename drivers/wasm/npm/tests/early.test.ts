// The database is opened while the wasm is on its way: once, and only for an outbox that was started on IndexedDB.

import { IDBDatabase, IDBFactory, IDBKeyRange } from 'fake-indexeddb'
import { beforeEach, expect, test, vi } from 'vitest'

const mutators = { add: async () => 'done' }
let log: string[]
let outbox: typeof import('../dist/index.js')
let isRefused: boolean

beforeEach(async () => {
  vi.resetModules()
  vi.restoreAllMocks()
  log = []
  isRefused = false
  Object.assign(globalThis, { indexedDB: new IDBFactory(), IDBKeyRange })
  const { open } = indexedDB
  vi.spyOn(indexedDB, 'open').mockImplementation((...args) => {
    log.push('open')
    if (isRefused) throw new DOMException('The operation is insecure.', 'SecurityError')
    return open.apply(indexedDB, args)
  })
  const { instantiateStreaming } = WebAssembly
  vi.spyOn(WebAssembly, 'instantiateStreaming').mockImplementation(async (...args) => {
    const instance = await instantiateStreaming(...args)
    log.push('wasm')
    return instance
  })
  outbox = await import('../dist/index.js')
})

test('IndexedDB is opened once, before the wasm is there', async () => {
  const started = outbox.createOutbox({ mutators, leaderElection: 'none' })
  expect(await (await started.mutate.add({ id: '1' })).settled).toMatchObject({ result: 'done' })
  await started.dispose()
  expect(log).toEqual(['open', 'wasm'])
})

test('nothing is opened by the import, nor for another store', async () => {
  expect(log).toEqual([])
  const started = outbox.createOutbox({ mutators, storage: outbox.memoryAdapter() })
  await started.ready
  await started.dispose()
  expect(log).toEqual(['wasm'])
})

test('a refusal is told as ever: typed, once, to whoever waits', async () => {
  isRefused = true
  const unhandled = vi.fn()
  process.on('unhandledRejection', unhandled)
  const started = outbox.createOutbox({ mutators, leaderElection: 'none' })
  await expect(started.ready).rejects.toMatchObject({ name: 'StorageError', code: 'unavailable' })
  await started.dispose()
  await new Promise((resolve) => setTimeout(resolve, 0))
  expect(unhandled).not.toHaveBeenCalled()
  process.off('unhandledRejection', unhandled)
})

test('an outbox that ends before the wasm has come leaves no connection open', async () => {
  const closed = vi.spyOn(IDBDatabase.prototype, 'close')
  const started = outbox.createOutbox({ name: 'brief', mutators })
  await started.dispose()
  await vi.waitFor(() => expect(closed).toHaveBeenCalledOnce())
})
