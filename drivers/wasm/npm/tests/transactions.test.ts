// What comes together shares a transaction (R4): it is the number of transactions that a drain takes its time for.

import { expect, test } from 'vitest'
import { createTestOutbox, memoryAdapter, type StorageAdapter } from '../dist/index.js'

/** A memory store that counts what each transaction writes, and answers later than attempts do, as a database does. */
function counted(): { storage: StorageAdapter; sizes: number[] } {
  const sizes: number[] = []
  const memory = memoryAdapter()
  const connect = () => {
    const connection = memory.connect()
    return {
      ...connection,
      persist: async (fence, writes) => {
        sizes.push(writes.length)
        const committed = await connection.persist(fence, writes)
        for (let turn = 0; turn < 100; turn += 1) await undefined
        return committed
      },
    } satisfies ReturnType<StorageAdapter['connect']>
  }
  return { storage: { ...memory, connect }, sizes }
}

test('what is enqueued in one turn is one transaction, and attempts that end together share one with the next claims', async () => {
  const { storage, sizes } = counted()
  const outbox = createTestOutbox({ mutators: { add: async (_: { args: { id: string } }) => undefined }, storage })
  await outbox.ready
  await outbox.pause('wait')
  sizes.length = 0
  await Promise.all(Array.from({ length: 100 }, (_, number) => outbox.mutate.add({ id: `${number}` })))
  expect(sizes).toEqual([100])

  sizes.length = 0
  await outbox.resume('wait')
  while ((await outbox.peekOutbox()).length > 0) await outbox.idle()
  // The resumption with the first four claims; then four deletes, four claims, and twice four ahead of their slots;
  // and so on. By four at a time it were 26 transactions.
  expect(sizes.slice(0, 2)).toEqual([1 + 4, 4 + 4 + 8])
  expect(sizes.length).toBeLessThanOrEqual(13)
  expect(sizes.reduce((sum, size) => sum + size)).toBe(1 + 2 * 100)
  await outbox.dispose()
})
