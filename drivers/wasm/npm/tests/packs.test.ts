// Rows share values of IndexedDB: how they are cut, found and kept; that a damaged value harms nobody else (R24); and that
// all of it does what memory does, with a quota that is used up now and then too (R5).

import { describe, expect, test, vi } from 'vitest'
import { IDBFactory, IDBKeyRange, IDBObjectStore } from 'fake-indexeddb'
import { Kept, packOf, packed, partsOf, placeOf, readPack, rowsOf, spansOf } from '../../js/packs.js'
import { Plan } from '../../js/plan.js'
import { Spare, createSpare } from '../../js/spare.js'
import { indexedDbAdapter } from '../src/storage/indexeddb.js'
import { memoryAdapter } from '../src/storage/memory.js'
import type { OutboxStorage, Snapshot, Write } from '../src/storage/types.js'

const row = (seq: number, chars = 10) => ({ seq, id: `id ${seq}`, record: 'x'.repeat(chars) })
const rows = (from: number, to: number, chars?: number) => Array.from({ length: to - from + 1 }, (_, index) => row(from + index, chars))
const pack = (from: number, to: number, chars?: number) => packOf(from, rows(from, to, chars))
const META = { store: '0'.repeat(32), epoch: 1, change: 5, through: 300, failed: 0, logSince: 0, paused: [] }

describe('packs', () => {
  test('are cut at 64 seqs and at 32 Ki characters; a longer record stands alone', () => {
    const spans = (of: ReturnType<typeof packed>) => of.map(({ at, seqs }) => [at, seqs.at(-1)])
    expect(spans(packed(rows(1, 150)))).toEqual([[1, 64], [65, 128], [129, 150]])
    expect(spans(packed([row(1), row(64), row(65)]))).toEqual([[1, 64], [65, 65]])
    expect(spans(packed(rows(1, 5, 16_000)))).toEqual([[1, 2], [3, 4], [5, 5]])
    expect(spans(packed([row(1), row(2, 100_000), row(3), row(4)]))).toEqual([[1, 1], [2, 2], [3, 4]])
    expect(packed([])).toEqual([])
    expect(packed(rows(1, 100)).flatMap(rowsOf)).toEqual(rows(1, 100))
  })

  test('are found at the greatest key up to a seq, if it is near enough', () => {
    const keys = new Set([1, 65, 130])
    expect([1, 64, 65, 128, 129, 130].map((seq) => placeOf(seq, (at) => keys.has(at)))).toEqual([1, 1, 65, 65, undefined, 130])
    expect(spansOf([200, 1, 2, 70])).toEqual([[-62, 2], [7, 70], [137, 200]])
    expect(spansOf([10, 60])).toEqual([[-53, 60]])
  })

  test('are read in parts of at most 1,024 rows, however they lie', () => {
    const of64 = Array.from({ length: 20 }, (_, index) => 1 + 64 * index)
    expect(partsOf(of64)).toEqual([[1, 961], [1025, 1217]])
    const singles = Array.from({ length: 1_900 }, (_, index) => 1 + index)
    expect(partsOf(singles)).toEqual([[1, 1024], [1025, 1900]])
    expect(partsOf([])).toEqual([])
  })

  test('of which it is not known what their rows are, are one row, of all of it', () => {
    const whole = pack(7, 9)
    expect(readPack(whole)).toBe(whole)
    const damaged = [
      { ...whole, ids: ['one'] }, { ...whole, records: 'none' }, { at: 7 }, { ...whole, seqs: [7, 7, 8] }, { ...whole, seqs: [6, 7, 8] },
      { ...whole, seqs: [7, 8, 71] }, { ...whole, seqs: [], ids: [], records: [] },
    ]
    for (const value of damaged) expect(rowsOf(readPack(value))).toEqual([{ seq: 7, id: undefined, record: JSON.stringify(value) }])
  })

  test('with a record that is no text give that as one, and stay what they are', () => {
    const damaged = readPack({ ...pack(7, 9), records: ['a', { b: 1 }, undefined] })
    expect(rowsOf(damaged).map(({ record }) => record)).toEqual(['a', '{"b":1}', 'undefined'])
    const plan = new Plan({ ...META })
    plan.take(damaged)
    expect(plan.carryOut([{ op: 'put', seq: 7, record: 'new' }])).toEqual(['done'])
    expect(plan.packs().changed).toEqual([{ ...damaged, records: ['new', { b: 1 }, undefined] }])
  })

  test('shrink with their rows, and only those are written that change', () => {
    const plan = new Plan({ ...META })
    for (const one of [pack(1, 3), pack(4, 5), pack(6, 9), pack(10, 12)]) plan.take(one)
    const results = plan.carryOut([
      { op: 'delete', seq: 2, outcome: '' }, { op: 'delete', seq: 4, outcome: '' }, { op: 'delete', seq: 5, outcome: '' },
      { op: 'put', seq: 8, record: 'new' }, { op: 'insert', id: 'id 1', record: '' }, { op: 'insert', id: 'id 4', record: 'again' }, { op: 'delete', seq: 70, outcome: '' },
    ])
    expect(results).toEqual(['done', 'done', 'done', 'done', 'duplicate', 301, 'missing'])
    expect(plan.packs()).toEqual({
      emptied: [4],
      changed: [packOf(1, [row(1), row(3)]), packOf(6, [row(6), row(7), { ...row(8), record: 'new' }, row(9)])],
      added: [packOf(301, [{ seq: 301, id: 'id 4', record: 'again' }])],
      lost: [2],
    })
  })

  test('are kept as they were left, and no more of them than allowed', () => {
    const kept = new Kept(META, [pack(1, 64), pack(65, 80)])
    expect([...kept.find([1, 70])!].map(({ at }) => at)).toEqual([1, 65])
    expect(kept.find([81])).toBeUndefined()
    kept.follow(META, { emptied: [1], changed: [pack(65, 66)], added: [pack(301, 301)] })
    expect(kept.find([1])).toBeUndefined()
    expect(kept.find([67])).toBeUndefined() // its pack may be another
    expect(kept.find([66, 301])?.size).toBe(2)

    const added = Array.from({ length: 64 }, (_, index) => pack(400 + index, 400 + index))
    kept.follow(META, { emptied: [], changed: [], added })
    expect([kept.find([65]), kept.find([301])]).toEqual([undefined, undefined])
    expect(kept.find([400])?.size).toBe(1)
    kept.follow(META, { emptied: [], changed: [], added: [pack(500, 500, 1_000_000), pack(501, 501, 1_000_000)] })
    expect([kept.find([463]), kept.find([500])]).toEqual([undefined, undefined])
    expect(kept.find([501])?.size).toBe(1)
  })
})

const [add, put] = [IDBObjectStore.prototype.add, IDBObjectStore.prototype.put]

/** A profile of its own, whose quota can be used up. */
function profile(): { isFull: boolean } {
  Object.assign(globalThis, { indexedDB: new IDBFactory(), IDBKeyRange })
  const quota = { isFull: false }
  for (const [name, original] of [['add', add], ['put', put]] as const) {
    vi.spyOn(IDBObjectStore.prototype, name).mockImplementation(function (this: any, value, key) {
      const request = original.call(this, value, key)
      if (quota.isFull) request.onsuccess = () => this.transaction._abort('QuotaExceededError')
      return request
    })
  }
  return quota
}

async function opened(adapter: { connect(): OutboxStorage }): Promise<OutboxStorage> {
  const storage = adapter.connect()
  await storage.open('app')
  return storage
}

const insert = (id: string): Write => ({ op: 'insert', id, record: `{"id":"${id}"}` })
const seqsOf = ({ rows }: Snapshot) => rows.map(({ seq }) => seq)
const all = { kind: 'full' } as const

/** Changes what is stored, behind everybody's back. */
async function damage(change: (pack: Record<string, unknown[]>) => object): Promise<void> {
  const db = await new Promise<IDBDatabase>((resolve) => {
    const request = indexedDB.open('outbox:app')
    request.onsuccess = () => resolve(request.result)
  })
  await new Promise<void>((resolve) => {
    const tx = db.transaction('items', 'readwrite')
    const packs = tx.objectStore('items').getAll()
    packs.onsuccess = () => { for (const pack of packs.result) tx.objectStore('items').put(change(pack)) }
    tx.oncomplete = () => resolve()
  })
  db.close()
}

describe('of a damaged pack', () => {
  const filled = async () => {
    profile()
    await (await opened(indexedDbAdapter())).persist(undefined, Array.from({ length: 64 }, (_, at) => insert(`${at + 1}`)))
  }

  test('one record that is no text harms no other row, and is not written over (R24)', async () => {
    await filled()
    await damage((pack) => ({ ...pack, records: pack.records!.map((record, at) => (at === 3 ? { no: 'text' } : record)) }))
    const storage = await opened(indexedDbAdapter())
    expect((await storage.load(undefined, all)).rows).toHaveLength(64)
    const writes: Write[] = [{ op: 'remove', id: '10' }, { op: 'put', seq: 11, record: 'new' }, insert('12'), { op: 'delete', seq: 1, outcome: '' }]
    for (const write of writes.slice(0, 2)) expect((await storage.persist(undefined, [write])).results).toEqual(['done'])
    expect((await storage.persist(undefined, writes.slice(2))).results).toEqual(['duplicate', 'done'])
    const { rows } = await storage.load(undefined, all)
    expect(rows).toHaveLength(62)
    expect(rows.slice(0, 3).map(({ record }) => record)).toEqual(['{"id":"2"}', '{"id":"3"}', '{"no":"text"}'])
    const stored: unknown[] = []
    await damage((pack) => { stored.push(...pack.records!); return pack })
    expect(stored).toContainEqual({ no: 'text' })
  })

  test('nothing is lost when its seqs are, and its ids stay taken (R24)', async () => {
    await filled()
    await damage((pack) => ({ ...pack, seqs: pack.seqs!.slice(1) }))
    const storage = await opened(indexedDbAdapter())
    const [only] = (await storage.load(undefined, all)).rows
    expect((await storage.persist(undefined, [insert('10'), insert('new')])).results).toEqual(['duplicate', 65])
    expect((await storage.persist(undefined, [{ op: 'delete', seq: 1, outcome: '' }, { op: 'put', seq: 1, record: '' }])).results).toEqual(['missing', 'missing'])
    const { rows } = await storage.load(undefined, all)
    expect(rows.map(({ seq }) => seq)).toEqual([1, 65])
    expect(rows[0]).toEqual(only)
  })
})

test('a full disk drains row by row, for the next who opens it too', async () => {
  const quota = profile()
  let storage = await opened(indexedDbAdapter())
  await storage.persist(undefined, Array.from({ length: 100 }, (_, index) => insert(`${index + 1}`)))
  quota.isFull = true
  await expect(storage.persist(undefined, [insert('more')])).rejects.toMatchObject({ code: 'full' })
  // Out of order, and from two packs in turn.
  for (const seq of [3, 70, 64, 1, 100]) {
    await storage.persist(undefined, [{ op: 'delete', seq, outcome: `"${seq}"` }])
    expect(seqsOf(await storage.load(undefined, all))).not.toContain(seq)
  }
  expect((await storage.persist(undefined, [{ op: 'remove', id: '3' }, { op: 'remove', id: '4' }])).results).toEqual(['missing', 'done'])
  storage.close()
  storage = await opened(indexedDbAdapter())
  const left = await storage.acquire()
  expect(left).toMatchObject({ epoch: 1, change: 7, through: 100 })
  expect(left.rows).toHaveLength(94)
  expect(seqsOf(await storage.load(undefined, { kind: 'items', seqs: [1, 2, 70] }))).toEqual([2])
  expect((await storage.load(undefined, { kind: 'since', change: 1, through: 99 })).full).toBe(true)

  quota.isFull = false
  // An id whose row is gone is free, and what was said by deletes is taken over.
  expect((await storage.persist(undefined, [insert('3'), { op: 'put', seq: 5, record: 'new' }])).results).toEqual([101, 'done'])
  const after = await storage.load(undefined, all)
  expect(after).toMatchObject({ epoch: 1, change: 8, through: 101 })
  expect(seqsOf(after)).toEqual([...seqsOf(left), 101])
})

test('a full disk drains in order by as many rows as transactions can be counted, however few a pack has', async () => {
  const quota = profile()
  const storage = await opened(indexedDbAdapter())
  for (let turn = 0; turn < 40; turn += 1) await storage.persist(undefined, [insert(`${turn}.1`), insert(`${turn}.2`)])
  quota.isFull = true
  const drained = await Promise.all(Array.from({ length: 65 }, (_, at) => at + 1).map((seq) => storage.persist(undefined, [{ op: 'delete', seq, outcome: '' }])
    .then(() => seq, (error) => error.code)))
  expect(drained).toEqual([...Array.from({ length: 64 }, (_, at) => at + 1), 'full'])
  quota.isFull = false
  // The next put takes over what is gone, of packs that this connection knows as they were.
  expect((await storage.persist(undefined, [{ op: 'delete', seq: 66, outcome: '' }])).results).toEqual(['done'])
  expect(seqsOf(await storage.load(undefined, all))).toEqual([65, ...Array.from({ length: 14 }, (_, at) => at + 67)])
  quota.isFull = true
  expect((await storage.persist(undefined, [{ op: 'delete', seq: 67, outcome: '' }])).results).toEqual(['done'])
  expect(seqsOf(await storage.load(undefined, all))).toHaveLength(14)
})

describe('spare records', () => {
  /** An object store of which only the keys count. */
  const keysOf = (keys: Iterable<number>) => {
    const left = new Set(keys)
    const put = (_: unknown, key: number) => void left.add(key)
    const store = { add: put, put, delete: (key: number) => void left.delete(key) } as unknown as IDBObjectStore
    return { left, store }
  }
  const created = () => {
    const [meta, marks] = [keysOf([0]), keysOf([])]
    createSpare(meta.store, marks.store)
    return { meta, marks }
  }
  const read = ({ meta, marks }: ReturnType<typeof created>) => {
    const spare = new Spare([...meta.left])
    spare.readMarks([...marks.left])
    return spare
  }

  test('say which rows are gone, in as many ranges of 64 seqs as there are pages', () => {
    const stores = created()
    const said = [1, 63, 2 ** 31 + 6, 64 * (2 ** 32 - 1) - 1, 128, 191]
    for (const seq of said) expect(read(stores).mark(stores.marks.store, seq)).toBe(true)
    expect(read(stores).mark(stores.marks.store, 64)).toBe(false)
    expect(read(stores).mark(stores.marks.store, 150)).toBe(true)
    expect(read(stores).gone).toEqual(new Set([...said, 150]))
    expect(read(created()).mark(stores.marks.store, 64 * (2 ** 32 - 1))).toBe(false)
  })

  test('count, until none is left; and are put back', () => {
    const stores = created()
    const all = [stores.meta.left.size, stores.marks.left.size]
    let [changes, epochs] = [0, 0]
    while (read(stores).countChange(stores.meta.store)) expect(read(stores).changes).toBe((changes += 1))
    while (read(stores).raiseEpoch(stores.meta.store)) expect(read(stores).epochs).toBe((epochs += 1))
    expect([changes, epochs, stores.meta.left.size]).toEqual([64, 16, 1])
    read(stores).mark(stores.marks.store, 10)
    read(stores).restore({ objectStore: (name: 'meta' | 'marks') => stores[name].store } as unknown as IDBTransaction)
    expect([stores.meta.left.size, stores.marks.left.size]).toEqual(all)
  })
})

test('two tabs in turn do what memory does, while the quota comes and goes', async () => {
  const quota = profile()
  const adapters = [indexedDbAdapter(), memoryAdapter()]
  const tabs = await Promise.all(adapters.map((adapter) => Promise.all([opened(adapter), opened(adapter)])))
  const replica = { change: 0, through: 0, rows: new Map<number, string>(), parts: 0 }
  let [random, refused] = [1, 0]
  const draw = (below: number) => (random = (random * 48_271) % 2_147_483_647) % below
  const ids = [[1, 'none']] as [number, string][]
  for (let step = 0; step < 160; step += 1) {
    if (draw(20) === 0) quota.isFull = !quota.isFull
    const tab = draw(6) === 0 ? 1 : 0
    const some = (): [number, string] => ids[Math.max(0, ids.length - 1 - draw(draw(2) ? 20 : 300))]!
    const write = (): Write => {
      const [seq, id] = some()
      const writes: Write[] = [
        { op: 'delete', seq, outcome: '"done"' }, { op: 'put', seq, record: `{"id":"${id}","step":${step}}` }, { op: 'remove', id }, insert(id),
        { op: 'bury', seq, id, failure: 'f' }, { op: 'dismissFailure', id },
      ]
      return writes[draw(draw(3) ? 2 : writes.length)]!
    }
    const batch = draw(12) === 0 ? Array.from({ length: draw(160) }, (_, index) => insert(`${step}.${index}`)) : []
    const deletes = Array.from({ length: 1 + draw(8) }, () => ({ op: 'delete', seq: some()[0], outcome: '' }) as const)
    const writes = quota.isFull && draw(3) ? deletes : [...Array.from({ length: 1 + draw(6) }, write), ...batch]
    const answer = await tabs[0]![tab]!.persist(undefined, writes).catch((error) => error)
    if (answer.code === 'full') {
      refused += 1
      continue
    }
    expect(answer).toEqual(await tabs[1]![tab]!.persist(undefined, writes))
    writes.forEach((write, index) => write.op === 'insert' && typeof answer.results[index] === 'number' && ids.push([answer.results[index], write.id]))
    if (draw(10) === 0) await Promise.all(tabs.map((both) => both[tab]!.acquire()))
    const truth = await tabs[1]![tab]!.load(undefined, all)
    const read = await tabs[0]![tab]!.load(undefined, { kind: 'since', change: replica.change, through: replica.through })
    if (read.full) replica.rows.clear()
    for (const { seq } of read.gone ?? []) replica.rows.delete(seq)
    for (const { seq, record } of read.rows) replica.rows.set(seq, record)
    Object.assign(replica, { change: read.change, through: read.through, parts: replica.parts + Number(!read.full) })
    expect([...replica.rows]).toEqual(truth.rows.map(({ seq, record }) => [seq, record]))
    const { change, through, epoch, failures } = read
    expect([change, through, epoch]).toEqual([truth.change, truth.through, truth.epoch])
    if (failures) expect(failures.map(({ id }) => id).sort()).toEqual(truth.failures!.map(({ id }) => id).sort())
    const seqs = [some()[0], some()[0]]
    expect(seqsOf(await tabs[0]![tab]!.load(undefined, { kind: 'items', seqs }))).toEqual(seqsOf(truth).filter((seq) => seqs.includes(seq)))
  }
  expect(refused).toBeGreaterThan(20)
  expect(replica.parts).toBeGreaterThan(40)
  expect(replica.rows.size).toBeGreaterThan(50)
})
