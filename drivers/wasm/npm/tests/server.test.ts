// On a server, import and start do nothing, and nothing is pretended to be stored (SSR).
// @vitest-environment node

import { expect, test } from 'vitest'
import * as outbox from '../dist/index.js'

test('start is inert, and a mutation is refused with words', async () => {
  expect(globalThis.indexedDB).toBeUndefined()
  outbox.registerOfflineMutators({ add: async () => {} })
  const add = outbox.createOfflineTransaction({ mutatorName: 'add' })
  const executor = outbox.startOfflineExecutor({ maxConcurrency: 2 })
  expect(executor.getSnapshot()).toBe(executor.getServerSnapshot())
  expect(executor.getSnapshot()).toMatchObject({ status: 'inert', items: [], failures: [] })
  expect(await executor.peekOutbox()).toEqual([])
  await expect(add({ id: '1' })).rejects.toMatchObject({ code: 'unsupported' })
  await expect(executor.pause('x')).rejects.toThrow(/on a server nothing can be stored/)
  await executor.dispose()
})

test('with a storage of its own it runs anywhere', async () => {
  const executor = outbox.createOutbox({ name: 'node', mutators: { add: async () => 'done' }, storage: outbox.memoryAdapter() })
  expect(await (await executor.mutate.add({ id: '1' })).settled).toMatchObject({ result: 'done' })
  await executor.dispose()
})
