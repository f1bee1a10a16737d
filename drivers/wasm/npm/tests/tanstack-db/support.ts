// What the tests of the TanStack DB layer share: collections whose server is the test, and outboxes on them.

import { createCollection, createTransaction } from '@tanstack/db'
import { afterEach } from 'vitest'
import { createTestOutbox, type OutboxEvent, type TestOptions, type TestOutbox } from '../../dist/index.js'
import { tanstackDb, type DbCollection, type TanstackDb } from '../../dist/tanstack-db.js'

export type Row = { id: string; text?: string; done?: boolean; n?: number; rev?: number }
type Change = ['insert' | 'update', Row] | ['delete', string]

/** A collection whose base is what the test says. */
export function remote(id: string, options: { ready?: boolean; lazy?: boolean; config?: object } = {}) {
  let sync: any
  let starts = 0
  const collection: any = createCollection({
    id, getKey: (row: Row) => row.id, startSync: options.lazy !== true, gcTime: 0,
    sync: { sync: (given: any) => { sync = given; starts += 1; if (options.ready !== false) given.markReady() } },
    ...options.config,
  } as never)
  const events: string[] = []
  return {
    collection,
    /** One sync transaction. */
    base(...changes: Change[]) {
      sync.begin()
      for (const [type, value] of changes) sync.write(typeof value === 'string' ? { type, key: value } : { type, value })
      sync.commit()
    },
    /** All gone, and these instead. */
    refetch(...rows: Row[]) {
      sync.begin()
      sync.truncate()
      for (const value of rows) sync.write({ type: 'insert', value })
      sync.commit()
    },
    markReady: () => sync.markReady(),
    starts: () => starts,
    /** What a subscriber has seen since the last time. */
    events() {
      return events.splice(0)
    },
    watch() {
      collection.subscribeChanges((changes: any[]) => { for (const { type, key } of changes) events.push(`${type} ${key}`) })
      return this
    },
    /** The visible rows, without what the collection adds. */
    rows: () => Object.fromEntries(collection.toArray.map((row: any) => {
      const plain = Object.fromEntries(Object.entries(row).filter(([name]) => !name.startsWith('$')))
      return [plain.id, plain]
    }).sort(([a]: [string], [b]: [string]) => a < b ? -1 : 1)) as Record<string, Row>,
  }
}

export type Remote = ReturnType<typeof remote>

const open: { dispose(): Promise<void> }[] = []
afterEach(async () => { await Promise.all(open.splice(0).map((outbox) => outbox.dispose())) })

/** An outbox whose items show in these collections. Its mutators hang until they are told what to do, unless they say otherwise. */
export function outboxOn<M extends TestOptions<any>['mutators']>(
  collections: { [name: string]: { collection: unknown } }, mutators: M, options: Partial<TestOptions<any>> = {},
): TestOutbox<any> & { view: TanstackDb; told: OutboxEvent[] } {
  const view = tanstackDb({
    createTransaction: createTransaction as never,
    collections: Object.values(collections).map(({ collection }) => collection as DbCollection),
  })
  const outbox = createTestOutbox({ mutators, view, jitter: false, ...options } as never) as TestOutbox<any>
  const told: OutboxEvent[] = []
  outbox.on((event) => told.push(event))
  open.push(outbox)
  return Object.assign(outbox, { view, told })
}

/** A mutator that is answered by the test. */
export function answered(settings: object) {
  const waiting: { args: any; resolve(value?: unknown): void; reject(error: unknown): void }[] = []
  return {
    mutate: ({ args }: { args: any }) => new Promise((resolve, reject) => { waiting.push({ args, resolve, reject }) }),
    ...settings,
    /** The oldest attempt that waits. */
    next: () => waiting.shift()!,
    waiting,
  }
}
