// The list of pending items: order, batches, places, through a change of cores (R1, R22).

import { expect, test } from 'vitest'
import type { CoreItem, CorePlace } from '../src/core.js'
import type { Item, ViewChange } from '../src/types.js'
import { PendingList } from '../src/view.js'

const item = (id: string): CoreItem => ({
  id, seq: null, mutatorName: 'add', args: { id }, key: [id], createdAt: 1, retryCount: 0, nextAttemptAt: 1,
  claimed: false, barrier: false, rewrites: 0, version: 1,
})
const early = (id: string): Item => { const { claimed: _c, barrier: _b, rewrites: _r, ...rest } = item(id); return rest }
const stored = (seq: number): CorePlace => ({ stored: seq })
const writing = (count: number): CorePlace => ({ writing: count })
const listOf = () => new PendingList({ isSending: () => false, confirm: () => undefined, changed: () => {} })
const ids = (list: PendingList) => list.items().map(({ id, seq }) => `${id}${seq ?? ''}`).join(' ')

test('by seq, those being written last, in the order of their calls', () => {
  const list = listOf()
  list.apply({ set: { place: writing(1), item: item('a') } })
  list.apply({ set: { place: writing(2), item: item('b') } })
  list.apply({ set: { place: stored(7), item: item('other') } })
  expect(ids(list)).toBe('other7 a b')
  list.apply({ moved: { from: writing(2), to: stored(5) } })
  expect(ids(list)).toBe('b5 other7 a')
  list.apply({ moved: { from: writing(1), to: stored(8) } })
  list.apply({ left: { place: stored(7), outcome: 'removed' } })
  expect(ids(list)).toBe('b5 a8')
  expect(list.items()).toBe(list.items())
})

test('random changes keep the order that a sort would give', () => {
  const list = listOf()
  const model = new Map<number, string>()
  let random = 7
  const draw = (below: number) => { random = (random * 1_103_515_245 + 12_345) % 2_147_483_648; return Math.floor((random / 2_147_483_648) * below) }
  for (let step = 0; step < 2_000; step += 1) {
    const seq = 1 + draw(200)
    if (model.has(seq)) {
      model.delete(seq)
      list.apply({ left: { place: stored(seq), outcome: 'gone' } })
    } else {
      model.set(seq, `i${step}-`)
      list.apply({ set: { place: stored(seq), item: item(`i${step}-`) } })
    }
    if (step % 50 === 0) expect(ids(list)).toBe([...model].sort(([a], [b]) => a - b).map(([at, id]) => `${id}${at}`).join(' '))
  }
})

test('what was on its way shows at once, and once; what did not get there leaves', () => {
  const list = listOf()
  const changes: ViewChange[] = []
  list.observe((batch) => changes.push(...batch))
  list.addEarly(early('a'))
  list.addEarly(early('b'))
  list.apply({ set: { place: writing(1), item: item('b') } })
  list.apply({ set: { place: writing(2), item: item('a') } })
  expect(ids(list)).toBe('a b')
  list.dropEarly('a')
  expect(ids(list)).toBe('a b')
  list.addEarly(early('c'))
  list.dropEarly('c')
  list.flush()
  expect(changes.map((change) => `${change.kind} ${change.item.id}`)).toEqual(['set a', 'set b', 'set b', 'set a', 'set c', 'left c'])
})

test('a second core tells again what is there; what it does not tell is gone', () => {
  const list = listOf()
  list.apply({ set: { place: stored(1), item: item('a') } })
  list.apply({ set: { place: stored(2), item: item('b') } })
  list.addEarly(early('c'))
  list.markStale()
  expect(ids(list)).toBe('a1 b2 c')
  list.apply({ set: { place: stored(2), item: item('b') } })
  list.dropStale()
  expect(ids(list)).toBe('b2 c')
  list.clear()
  expect(ids(list)).toBe('')
})

test('two tabs gave one id: ours leaves the list of what is written, the other stays where it is stored', () => {
  const list = listOf()
  list.apply({ set: { place: writing(0), item: item('a') } })
  list.apply({ set: { place: stored(1), item: item('a') } })
  list.apply({ left: { place: writing(0), outcome: null } })
  expect(ids(list)).toBe('a1')
})

test('two tabs gave one id: the other is gone when ours is stored', () => {
  const list = listOf()
  list.apply({ set: { place: writing(0), item: item('a') } })
  list.apply({ set: { place: stored(5), item: item('a') } })
  list.apply({ left: { place: stored(5), outcome: null } })
  list.apply({ moved: { from: writing(0), to: stored(9) } })
  list.apply({ set: { place: stored(9), item: item('a') } })
  expect(ids(list)).toBe('a9')
})
