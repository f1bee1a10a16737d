// A large outbox is restored in parts, with the page's turn between them; and in between everything else is as ever (R1, R18, R22).

import { afterEach, expect, test, vi } from 'vitest'
import { createOutbox, createTestOutbox, memoryAdapter, NonRetriableError, type Attempt, type ViewChange } from '../dist/index.js'

const COUNT = 3_500
const name = 'parts'
const online = { isOnline: () => true, subscribe: () => () => {} }
const offline = { isOnline: () => false, subscribe: () => () => {} }
const open: { dispose(): Promise<void> }[] = []
afterEach(async () => { await Promise.all(open.splice(0).map((outbox) => outbox.dispose())) })

/** A store that holds so many items, one lane each; gives their ids. */
async function filled(count = COUNT) {
  const storage = memoryAdapter()
  const outbox = createTestOutbox({ name, storage, online: false, mutators: { add: async (_: Attempt<number>) => { await new Promise(() => {}) } } })
  await outbox.pause('wait')
  const ids = await Promise.all(Array.from({ length: count }, async (_, n) => (await outbox.mutate.add(n, { key: `${n}` })).id))
  await outbox.dispose()
  return { storage, ids }
}

/** One that counts real time, and what it tells. */
function restored(storage: ReturnType<typeof memoryAdapter>, onlineDetector = offline, add = async (_: Attempt<number>): Promise<void> => {}) {
  const outbox = createOutbox({ name, storage, leaderElection: 'none', onlineDetector, mutators: { add } })
  open.push(outbox)
  const batches: (readonly ViewChange[])[] = []
  /** Called with each batch, in its turn. */
  const on = { batch: (_count: number): void => {} }
  outbox.observe((changes) => {
    if (changes.length === 0) return
    batches.push(changes)
    on.batch(batches.length)
  })
  return { outbox, batches, on }
}

/** What the batches come to; no item may appear twice, or leave that was not there. */
function listOf(batches: readonly (readonly ViewChange[])[]): string[] {
  const there = new Map<string, number | null>()
  for (const { kind, item } of batches.flat()) {
    // Set again: it has got its seq.
    if (kind === 'set') expect(there.get(item.id) ?? null, `${item.id} is told twice`).toBeNull()
    else expect(there.has(item.id), `${item.id} leaves unseen`).toBe(true)
    if (kind === 'set') there.set(item.id, item.seq)
    else there.delete(item.id)
  }
  return [...there.keys()]
}

test('every item is told once, in order, in parts of their own tasks; `ready` comes after the last', async () => {
  const { storage, ids } = await filled()
  const { outbox, batches, on } = restored(storage)
  const tasks = new Set<number>()
  let task = 0
  const { port1, port2 } = new MessageChannel()
  port1.onmessage = () => { task += 1; port2.postMessage(0) }
  port2.postMessage(0)
  on.batch = () => { tasks.add(task) }
  await outbox.ready
  port1.close()
  expect(listOf(batches)).toEqual(ids)
  expect(batches.every((batch) => batch.length <= 1_000)).toBe(true)
  expect(batches.flat().every((change) => change.kind === 'set' && change.replay)).toBe(true)
  expect(tasks.size).toBe(4)
  expect(outbox.getSnapshot()).toMatchObject({ status: 'ready' })
  expect(outbox.getSnapshot().items.map(({ id }) => id)).toEqual(ids)
})

test('a small outbox is told at once', async () => {
  const { storage, ids } = await filled(1_000)
  const { outbox, batches } = restored(storage)
  await outbox.ready
  expect(batches).toHaveLength(1)
  expect(listOf(batches)).toEqual(ids)
})

test('between two parts: what is enqueued shows in the calling turn, as new, and last (R1)', async () => {
  const { storage, ids } = await filled()
  const { outbox, batches, on } = restored(storage)
  let receipt: Promise<{ id: string }> | undefined
  on.batch = (count) => {
    if (count !== 1) return
    queueMicrotask(() => {
      receipt = outbox.mutate.add(-1, { key: 'new' })
      expect(outbox.getSnapshot().items.at(-1)).toMatchObject({ args: -1, seq: null, state: 'writing' })
      expect(batches).toHaveLength(2)
      expect(batches[1]).toMatchObject([{ kind: 'set', replay: false, item: { args: -1 } }])
    })
  }
  await outbox.ready
  const { id } = await receipt!
  await Promise.resolve()
  expect(outbox.getSnapshot().items.map(({ id }) => id)).toEqual([...ids, id])
  expect(new Set(listOf(batches))).toEqual(new Set([...ids, id]))
})

test('between two parts: what is removed is gone when that resolves, told or not, and does not come back (R18)', async () => {
  const { storage, ids } = await filled()
  const { outbox, batches, on } = restored(storage)
  const [told, untold] = [ids[3]!, ids[COUNT - 3]!]
  const removed: Promise<void>[] = []
  let parts = 0
  on.batch = (count) => {
    if (count === 1) {
      for (const id of [told, untold]) {
        removed.push(outbox.removeFromOutbox(id).then((is) => {
          expect(is).toBe(true)
          parts = batches.length
          expect(outbox.getSnapshot().items.some((item) => item.id === id)).toBe(false)
        }))
      }
    }
  }
  await outbox.ready
  await Promise.all(removed)
  expect(parts).toBeGreaterThan(0)
  expect(new Set(listOf(batches))).toEqual(new Set(ids.filter((id) => id !== told && id !== untold)))
})

test('between two parts: what is sent settles, and leaves the list', async () => {
  const { storage, ids } = await filled()
  const sent: string[] = []
  const { outbox, batches } = restored(storage, online, async ({ id }) => { sent.push(id) })
  await outbox.resume('wait')
  await outbox.ready
  while (outbox.getSnapshot().items.length > 0) await new Promise((done) => { setTimeout(done, 10) })
  expect(sent).toEqual(ids)
  await Promise.resolve()
  expect(listOf(batches)).toEqual([])
}, 60_000)

test('stopped between two parts, it tells no more, and the next one finds all', async () => {
  const { storage, ids } = await filled()
  const first = restored(storage)
  const stopped = new Promise<void>((resolve) => { first.on.batch = (count) => { if (count === 1) resolve(first.outbox.dispose()) } })
  await expect(first.outbox.ready).rejects.toThrow('stopped')
  await stopped
  const told = first.batches.length
  await new Promise((done) => { setTimeout(done, 50) })
  expect(first.batches).toHaveLength(told)
  expect(listOf(first.batches)).toEqual([])
  const second = restored(storage)
  await second.outbox.ready
  expect(listOf(second.batches)).toEqual(ids)
})

test('stopped while the rows are read: the storage is closed, the rest is not read, nothing is told', async () => {
  const { storage } = await filled()
  const seen: string[] = []
  const watched = { ...storage, connect: () => {
    const store = storage.connect()
    const acquire: typeof store.acquire = async () => {
      const snapshot = await store.acquire()
      const rows = snapshot.rows.map(({ seq, record }, place) => ({ seq, get record() {
        if (place === 500) void outbox.dispose()
        if (place === 500 || place === 2_500) seen.push(`row ${place}`)
        return record
      } }))
      return { ...snapshot, rows }
    }
    return { open: (of: string) => store.open(of), acquire, load: acquire, persist: store.persist.bind(store), close: () => { seen.push('closed') } }
  } }
  const { outbox, batches } = restored(watched)
  await expect(outbox.ready).rejects.toThrow('stopped')
  await outbox.dispose()
  await new Promise((done) => { setTimeout(done, 50) })
  expect(seen).toEqual(['row 500', 'closed'])
  expect(batches).toEqual([])
})

test('a storage that fails between two reads, or answers nonsense in the middle, is asked again', async () => {
  const { storage, ids } = await filled()
  let asked = 0
  const watched = { ...storage, connect: () => {
    const store = storage.connect()
    const acquire: typeof store.acquire = async () => {
      const snapshot = await store.acquire()
      asked += 1
      if (asked === 1) return { ...snapshot, rows: snapshot.rows.map((row, place) => (place === 2_500 ? { seq: row.seq, record: 7 as never } : row)) }
      return snapshot
    }
    return { open: (of: string) => store.open(of), acquire, load: acquire, persist: store.persist.bind(store), close: () => {} }
  } }
  const { outbox, batches } = restored(watched)
  await expect(outbox.ready).rejects.toThrow('no snapshot')
  while (outbox.getSnapshot().status !== 'ready') await new Promise((done) => { setTimeout(done, 20) })
  expect(asked).toBeGreaterThan(1)
  expect(listOf(batches)).toEqual(ids)
})

test('rows that cannot be placed and failures that cannot be shown keep nothing else from being read', async () => {
  const { storage, ids } = await filled(3)
  const damaged = { ...storage, connect: () => {
    const store = storage.connect()
    const read = async () => {
      const snapshot = await store.acquire()
      const { record } = snapshot.rows[0]!
      const rows = [-3, 0, 1.5, Number.NaN, 'one'].map((seq) => ({ seq: seq as number, record }))
      return { ...snapshot, rows: [...rows, ...snapshot.rows], failures: [{ id: 'a', record: 7 as never }, { id: undefined as never, record }] }
    }
    return { open: (of: string) => store.open(of), acquire: read, load: read, persist: store.persist.bind(store), close: () => {} }
  } }
  const { outbox } = restored(damaged)
  await outbox.ready
  expect(outbox.getSnapshot().items.map(({ id }) => id)).toEqual(ids)
  expect(outbox.getSnapshot().failures).toEqual([])
})

test('who observes between two parts is told what is there, and then the rest', async () => {
  const { storage, ids } = await filled()
  const { outbox, on } = restored(storage)
  const late: (readonly ViewChange[])[] = []
  on.batch = (count) => {
    if (count === 2) queueMicrotask(() => outbox.observe((changes) => late.push(changes)))
  }
  await outbox.ready
  expect(late[0]!.length).toBe(2_000)
  expect(listOf(late)).toEqual(ids)
})

test('a test\'s outbox needs no task for it: when it is idle, all has been told and it leads', async () => {
  const { storage, ids } = await filled()
  const outbox = createTestOutbox({ name, storage, online: false, mutators: { add: async (_: Attempt<number>) => {} } })
  open.push(outbox)
  await outbox.idle()
  expect(outbox.getSnapshot().items.map(({ id }) => id)).toEqual(ids)
  expect(outbox.getSnapshot().leading).toBe(true)
})

test('a failure record that another tab dismissed is gone from the snapshot after a large load', async () => {
  const storage = memoryAdapter()
  const before = createTestOutbox({ name, storage, mutators: { add: async (_: Attempt<number>) => { throw new NonRetriableError('no') } } })
  const refused = await before.mutate.add(-1)
  await Promise.allSettled([refused.settled, before.idle()])
  await before.pause('wait')
  await Promise.all(Array.from({ length: COUNT }, (_, n) => before.mutate.add(n, { key: `${n}` })))
  await before.dispose()

  const elsewhere = storage.connect()
  await elsewhere.open(name)
  const left = await elsewhere.load(undefined, { kind: 'full' })
  const failures = left.failures ?? []
  expect([left.rows.length, failures.length]).toEqual([COUNT, 1])
  const { outbox } = restored({ ...storage, shared: true })
  outbox.subscribe(() => outbox.getSnapshot())
  await outbox.ready
  expect(outbox.getSnapshot().failures).toHaveLength(1)
  await elsewhere.persist(undefined, failures.map(({ id }) => ({ op: 'dismissFailure', id })))
  await vi.waitFor(() => expect(outbox.getSnapshot().failures).toEqual([]), { timeout: 10_000 }) // the next look at the counter
}, 20_000)
