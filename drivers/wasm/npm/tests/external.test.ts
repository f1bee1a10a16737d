// The entry `/external`: the wasm as bytes, as a module, and missing; both entries know the same outboxes.

import { readFileSync } from 'node:fs'
import { expect, test, vi } from 'vitest'

const bytes = readFileSync(new URL('../dist/outbox.wasm', `file://${__filename}`))

test.each([['bytes', () => bytes], ['a module', () => new WebAssembly.Module(bytes)]])('the wasm as %s', async (_, wasm) => {
  vi.resetModules()
  const { createOutbox, memoryAdapter } = await import('../dist/external.js')
  const outbox = createOutbox({ mutators: { add: async () => 'done' }, storage: memoryAdapter(), wasm: wasm() })
  expect(await (await outbox.mutate.add({ id: '1' })).settled).toMatchObject({ result: 'done' })
  await outbox.dispose()
})

test('wasm that does not come is told, and tried again by the next call', async () => {
  vi.resetModules()
  const { createOutbox, memoryAdapter } = await import('../dist/external.js')
  const storage = memoryAdapter()
  const outbox = createOutbox({ mutators: { add: async () => 'done' }, storage, wasm: 'http://127.0.0.1:1/outbox.wasm' })
  await expect(outbox.mutate.add({ id: '1' })).rejects.toMatchObject({ code: 'unsupported', message: expect.stringMatching('wasm-unsafe-eval') as string })
  expect(outbox.getSnapshot()).toMatchObject({ status: 'failed', items: [] })
  await outbox.dispose()
})

test('both entries know the same outboxes', async () => {
  vi.resetModules()
  const [inline, external] = [await import('../dist/index.js'), await import('../dist/external.js')]
  const storage = inline.memoryAdapter()
  const first = inline.createOutbox({ name: 'same', mutators: { add: async () => 1 }, storage })
  const second = external.createOutbox({ name: 'same', mutators: { more: async () => 2 } })
  expect(await (await second.mutate.more({ id: '1' })).settled).toMatchObject({ result: 2 })
  expect(second.getSnapshot()).toBe(first.getSnapshot())
  await Promise.all([first.dispose(), second.dispose()])
  expect(second.getSnapshot().status).toBe('stopped')
})
