// The stores of this package against the storage contract's clauses, and `kvStore` through crashes (R4, R27).

import { describe, expect, test } from 'vitest'
import { IDBFactory, IDBKeyRange } from 'fake-indexeddb'
import { indexedDbAdapter } from '../src/storage/indexeddb.js'
import { kvStore, type KeyValue } from '../src/storage/kv.js'
import { memoryAdapter } from '../src/storage/memory.js'
import type { Fence, OutboxStorage, Snapshot, StorageAdapter, Write } from '../src/storage/types.js'

const insert = (id: string): Write => ({ op: 'insert', id, record: `{"id":"${id}"}` })

function texts(map = new Map<string, string>()): KeyValue & { map: Map<string, string> } {
  return { map, get: (key) => map.get(key), set: (key, value) => void map.set(key, value), delete: (key) => void map.delete(key), keys: () => map.keys() }
}

/** In a browser profile of its own. */
function indexedDb(): StorageAdapter {
  Object.assign(globalThis, { indexedDB: new IDBFactory(), IDBKeyRange })
  return indexedDbAdapter()
}

async function opened(adapter: StorageAdapter): Promise<OutboxStorage> {
  const storage = adapter.connect()
  await storage.open('app')
  return storage
}

describe.each([['memory', memoryAdapter], ['kv', () => kvStore(texts())], ['indexeddb', indexedDb]])('%s', (_, make) => {
  test('seqs rise by one, ids are unique, nothing is reused', async () => {
    const adapter = make()
    const storage = await opened(adapter)
    expect(await storage.persist(undefined, [insert('a'), insert('b'), insert('a')])).toEqual({ results: [1, 2, 'duplicate'], change: 1 })
    expect((await storage.persist(undefined, [{ op: 'remove', id: 'b' }, insert('b')])).results).toEqual(['done', 3])
    const again = await opened(adapter)
    expect(await again.load(undefined, { kind: 'full' })).toMatchObject({ through: 3, change: 2, rows: [{ seq: 1 }, { seq: 3 }] })
  })

  test('only the fence of the last acquire is taken', async () => {
    const storage = await opened(make())
    const { store, epoch } = await storage.acquire()
    await storage.persist({ store, epoch }, [insert('a')])
    const second = await storage.acquire()
    expect(second).toMatchObject({ store, epoch: epoch + 1, full: true, change: 1 })
    await expect(storage.persist({ store, epoch }, [insert('b')])).rejects.toMatchObject({ code: 'fenced' })
    await expect(storage.load({ store: '0'.repeat(32), epoch: epoch + 1 }, { kind: 'full' })).rejects.toMatchObject({ code: 'fenced' })
    expect((await storage.load(undefined, { kind: 'full' })).rows).toHaveLength(1)
  })

  test('failures, pauses and puts', async () => {
    const storage = await opened(make())
    await storage.persist(undefined, [insert('a'), insert('b'), insert('c')])
    const writes: Write[] = [
      { op: 'bury', seq: 1, id: 'a', failure: 'fa' }, { op: 'bury', seq: 9, id: 'x', failure: 'fx' }, { op: 'bury', seq: 2, id: 'b', failure: 'fb' },
      { op: 'put', seq: 3, record: 'new' }, { op: 'put', seq: 1, record: 'none' }, { op: 'pause', reason: 'auth' }, { op: 'resume', reason: 'x' },
    ]
    expect((await storage.persist(undefined, writes)).results).toEqual(['done', 'missing', 'done', 'done', 'missing', 'done', 'missing'])
    const retries: Write[] = [
      { op: 'retryFailure', failure: 'a', id: 'c', record: 'r' }, { op: 'retryFailure', failure: 'a', id: 'a2', record: 'r' },
      { op: 'retryFailure', failure: 'a', id: 'a3', record: 'r' }, { op: 'dismissFailure', id: 'x' },
    ]
    expect((await storage.persist(undefined, retries)).results).toEqual(['duplicate', 4, 'missing', 'missing'])
    expect(await storage.load(undefined, { kind: 'full' })).toMatchObject({
      rows: [{ seq: 3, record: 'new' }, { seq: 4, record: 'r' }], failures: [{ id: 'b', record: 'fb' }], paused: ['auth'],
    })
    expect(await storage.load(undefined, { kind: 'items', seqs: [4, 1] })).toMatchObject({ full: false, rows: [{ seq: 4 }], gone: [{ seq: 1 }] })
  })
})

test('kv: a crash after any of its writes leaves all of a transaction, or nothing', async () => {
  for (let writesLeft = 0; writesLeft < 12; writesLeft += 1) {
    const before = texts()
    await (await opened(kvStore(before))).persist(undefined, [insert('a'), insert('b')])
    let left = writesLeft
    const dying: KeyValue = {
      ...before,
      set: (key, value) => { if (left-- <= 0) throw new Error('crashed'); before.set(key, value) },
      delete: (key) => { if (left-- <= 0) throw new Error('crashed'); before.delete(key) },
    }
    const storage = await opened(kvStore(dying))
    const told = await storage.persist(undefined, [{ op: 'bury', seq: 1, id: 'a', failure: 'f' }, insert('c')]).then(() => true, () => false)
    const after = await (await opened(kvStore(texts(before.map)))).load(undefined, { kind: 'full' })
    const ids = after.rows.map(({ seq }) => seq)
    expect(ids).toEqual(told ? [2, 3] : [1, 2])
    expect(after.failures).toHaveLength(told ? 1 : 0)
  }
})

test('kv: a full store says so, and takes what fits later', async () => {
  const kv = texts()
  let isFull = true
  const quota = { ...kv, set: (key: string, value: string) => { if (isFull) throw new DOMException('no room', 'QuotaExceededError'); kv.set(key, value) } }
  const storage = await opened(kvStore(quota))
  await expect(storage.persist(undefined, [insert('a')])).rejects.toMatchObject({ code: 'full' })
  isFull = false
  expect((await storage.persist(undefined, [insert('a')])).results).toEqual([1])
})

test('IndexedDB guesses what is there, and never wrong: two tabs in turn do what memory does', async () => {
  const adapters = [indexedDb(), memoryAdapter()]
  const tabs = await Promise.all(adapters.map((adapter) => Promise.all([opened(adapter), opened(adapter)])))
  const fences = await Promise.all(tabs.map(async ([tab]) => fenceOf(await tab!.acquire())))
  const ids = new Map<number, string>([[1, 'none']])
  for (let random = 1, step = 0; step < 400; step += 1) {
    const draw = (below: number) => (random = (random * 48_271) % 2_147_483_647) % below
    const write = (): Write => {
      // Of the newest, most are there.
      const [seq, id] = [...ids].slice(-6)[draw(Math.min(ids.size, 6))]!
      const record = `{"id":"${id}","step":${step}}`
      const writes: Write[] = [
        insert(id), insert(`${step}.${draw(9)}`), { op: 'put', seq, record }, { op: 'delete', seq, outcome: '"removed"' }, { op: 'remove', id },
        { op: 'bury', seq, id, failure: record }, { op: 'dismissFailure', id }, { op: 'pause', reason: id },
      ]
      // Mostly those that are guessed.
      return writes[draw(draw(4) === 0 ? writes.length : 4)] as Write
    }
    const writes = Array.from({ length: 1 + draw(3) }, write)
    const [tab, isFenced] = [draw(8) === 0 ? 1 : 0, draw(2) === 0]
    const answers = await Promise.all(tabs.map((both, of) => both[tab]!.persist(isFenced ? fences[of] : undefined, writes)))
    expect(answers[0]).toEqual(answers[1])
    writes.forEach((write, index) => {
      const seq = answers[0]!.results[index]
      if (write.op === 'insert' && typeof seq === 'number') ids.set(seq, write.id)
    })
  }
  const [stored, expected] = await Promise.all(tabs.map(([tab]) => tab!.load(undefined, { kind: 'full' })))
  const plain = ({ rows, failures, paused, change, through }: Snapshot) => ({
    change, through, paused: [...paused].sort(), failures: failures!.map(({ id }) => id).sort(), rows: rows.map(({ seq, record }) => [seq, record]),
  })
  expect(plain(stored!)).toEqual(plain(expected!))
  expect(stored!.rows.length).toBeGreaterThan(20)
})

function fenceOf({ store, epoch }: Fence): Fence {
  return { store, epoch }
}
