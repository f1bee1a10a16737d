// Sees what an `optimistic` function writes: while overlays are run, the collections' own calls go through here.

import type { Surface } from './surface.js'
import type { Key } from './types.js'

/** Why an overlay does not show, though nothing is wrong. */
export class NotNow extends Error {
  override name = 'NotNow'
  constructor(readonly surface: Surface, key: Key, what: string) {
    super(`${surface.collection.id}: the row ${JSON.stringify(key)} is ${what}`)
  }
}

/** Whoever runs the overlays. */
export interface CallListener {
  /** Whether an overlay is running. */
  isRunning(): boolean
  before(surface: Surface, keys: readonly Key[]): void
  after(surface: Surface, keys: readonly Key[]): void
}

const CALLS = ['insert', 'update', 'delete'] as const
type Call = (typeof CALLS)[number]

/** Sees the calls to these collections, until the returned function is called. */
export function seeCalls(surfaces: Iterable<Surface>, listener: CallListener): () => void {
  const ends: (() => void)[] = []
  for (const surface of surfaces) for (const name of CALLS) ends.push(seeCall(surface, name, listener))
  return () => {
    for (const end of ends) end()
  }
}

function seeCall(surface: Surface, name: Call, listener: CallListener): () => void {
  const { collection } = surface
  const own = Object.getOwnPropertyDescriptor(collection, name)
  const original = collection[name]
  collection[name] = (...call: unknown[]): unknown => {
    if (!listener.isRunning()) return original.apply(collection, call)
    const keys = keysOf(surface, name, call[0])
    listener.before(surface, keys)
    check(surface, name, keys)
    const result: unknown = original.apply(collection, call)
    listener.after(surface, keys)
    return result
  }
  return () => {
    if (own === undefined) delete (collection as Partial<Record<Call, unknown>>)[name]
    else Object.defineProperty(collection, name, own)
  }
}

function keysOf({ collection }: Surface, name: Call, first: unknown): Key[] {
  const list = Array.isArray(first) ? first as unknown[] : [first]
  return name === 'insert' ? list.map((row) => collection.getKeyFromItem(row)) : list as Key[]
}

/** What is there already, or gone already, is in the base; what is missing may come. */
function check(surface: Surface, name: Call, keys: readonly Key[]): void {
  for (const key of keys) {
    const isThere = surface.collection.has(key)
    if (name === 'insert' ? !isThere : isThere) continue
    throw new NotNow(surface, key, name === 'insert' ? 'there already' : name === 'delete' ? 'gone already' : 'not there yet')
  }
}
