// What a hook's list comes to (R17).

import { expect, test } from 'vitest'
import { ask, squash, type AskedItem } from '../src/hook.js'
import type { BeforeRetry } from '../src/types.js'

const asked: AskedItem[] = ['a', 'b', 'c'].map((id, index) => ({
  sent: 'maybe',
  item: {
    id, seq: index + 1, mutatorName: 'save', args: { id, text: id }, key: [id], createdAt: 1, retryCount: 1, nextAttemptAt: 2,
    claimed: false, barrier: false, rewrites: 0, version: 1,
  },
}))
const verdicts = async (hook: BeforeRetry) => JSON.parse(await ask(hook, asked)) as [string, unknown][]
const problem = (hook: BeforeRetry) => ask(hook, asked).then(() => 'none', (error: Error) => error.message)

test('an untouched list keeps everything, whatever its order', async () => {
  expect(await verdicts((items) => [...items].reverse())).toEqual([['a', 'keep'], ['b', 'keep'], ['c', 'keep']])
})

test('left out is removed, changed is rewritten, also in place', async () => {
  const hook: BeforeRetry = ([a, b]) => {
    a!.args.text = 'new'
    return [a!, { ...b!, key: 'lane', metadata: { by: 'hook' } }]
  }
  expect(await verdicts(hook)).toEqual([
    ['a', { rewrite: { args: { id: 'a', text: 'new' } } }],
    ['b', { rewrite: { key: ['lane'], metadata: { by: 'hook' } } }],
    ['c', 'remove'],
  ])
})

test('squashes go to the end of their chain', async () => {
  const hook: BeforeRetry = ([a, b, c]) => [{ ...squash(c!, squash(b!, a!)), args: { id: 'c', text: 'abc' } }]
  expect(await verdicts(hook)).toEqual([
    ['a', { squashInto: 'c' }], ['b', { squashInto: 'c' }], ['c', { rewrite: { args: { id: 'c', text: 'abc' } } }],
  ])
})

test('new ids, items twice and other changes are refused', async () => {
  expect(await problem((items) => [...items, { ...items[0]!, id: 'new' }])).toMatch('which it was not asked about')
  expect(await problem((items) => [...items, items[0]!])).toMatch('or twice')
  expect(await problem(([a, b]) => [squash(a!, b!), b!])).toMatch('or twice')
  expect(await problem((items) => [{ ...items[0]!, retryCount: 0 }])).toMatch('more of a than')
  expect(await problem((items) => [{ ...items[0]!, args: { f: () => 1 } }])).toMatch('args.f` is a function')
  expect(await problem(() => undefined as never)).toMatch('must return the list')
  for (const key of [5, [7], undefined]) {
    expect(await problem((items) => [{ ...items[0]!, key: key as never }])).toMatch('key` must be a string, or a list of strings')
  }
})
