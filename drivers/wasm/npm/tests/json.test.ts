// Args as JSON text: what JSON cannot carry is named with its path (R32).

import { expect, test } from 'vitest'
import { toJson } from '../src/json.js'

const problem = (value: unknown): string => {
  try {
    toJson(value, 'args')
  } catch (error) {
    return (error as Error).message
  }
  throw new Error('it was taken')
}

test('what JSON can carry is carried as JSON.stringify does', () => {
  const value = { id: '1', n: -0, list: [1, null, { deep: true }], none: undefined, text: 'ü😀', date: new Date(0) }
  expect(toJson(value, 'args')).toBe(JSON.stringify(value))
  expect(toJson(undefined, 'args')).toBe('null')
  const own = JSON.parse('{"__proto__":{"x":1}}') as object
  expect(toJson(own, 'args')).toBe('{"__proto__":{"x":1}}')
})

test('the culprit is named with its path', () => {
  expect(problem({ visit: { photos: [1, () => 1] } })).toMatch('`args.visit.photos[1]` is a function')
  expect(problem({ n: 1n })).toMatch('`args.n` is a BigInt')
  expect(problem({ 'a b': [undefined] })).toMatch('`args["a b"][0]` is undefined in an array')
  expect(problem([NaN])).toMatch('`args[0]` is NaN')
  expect(problem({ due: new Date(NaN) })).toMatch('`args.due` is an invalid Date')
  expect(problem({ m: new Map() })).toMatch('`args.m` is a Map')
  expect(problem({ s: Symbol('x') })).toMatch('`args.s` is a symbol')
  expect(problem({ text: 'half \uD83D' })).toMatch('`args.text` is a string with half a surrogate pair')
  const cycle: { self?: unknown } = {}
  cycle.self = [cycle]
  expect(problem(cycle)).toMatch('`args.self[0]` is a cycle')
  let deep: unknown = 1
  for (let level = 0; level < 200; level += 1) deep = [deep]
  expect(problem(deep)).toMatch('nested deeper than 127 levels')
})

test('`toJSON` is asked once, and may give the same object', () => {
  class Self { a = 1; toJSON() { return this } }
  class Other { toJSON() { return { b: new Self(), toJSON: undefined } } }
  class Twice { toJSON() { return new Other() } }
  for (const value of [new Self(), { x: [new Self()] }, new Other(), new Twice()]) {
    expect(toJson(value, 'args')).toBe(JSON.stringify(value))
  }
  const cycle = { toJSON: undefined as unknown, self: undefined as unknown }
  cycle.self = { toJSON: () => cycle }
  expect(problem(cycle)).toMatch('`args.self` is a cycle')
})

test('the same object twice is no cycle', () => {
  const twice = { a: 1 }
  expect(toJson([twice, twice], 'args')).toBe('[{"a":1},{"a":1}]')
})
