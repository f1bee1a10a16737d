// The package as it ships, with the real core: order of start, receipts, errors, retries, hooks, views (no mock).

import { afterEach, expect, test, vi } from 'vitest'
import {
  createOutbox, createTestOutbox, DroppedError, memoryAdapter, NonRetriableError, RemovedError, RetryError, responseError, squash, StoppedError,
  TransportError, UnknownMutatorError, type Attempt, type OutboxEvent, type TestOptions, type TestOutbox, type ViewChange,
} from '../dist/index.js'

type Todo = { id: string; text: string }
const open: { dispose(): Promise<void> }[] = []
afterEach(async () => { await Promise.all(open.splice(0).map((outbox) => outbox.dispose())) })

function outboxOf<M extends TestOptions<any>['mutators']>(options: TestOptions<M>): TestOutbox<M> {
  const outbox = createTestOutbox(options as never) as unknown as TestOutbox<M>
  open.push(outbox)
  return outbox
}
const thrown = (work: Promise<unknown>): Promise<any> => work.then(() => { throw new Error('it did not throw') }, (error: unknown) => error)

test('a mutation is stored, sent and settled with its result', async () => {
  const attempts: Attempt<Todo>[] = []
  const outbox = outboxOf({ mutators: { add: async (attempt: Attempt<Todo>) => { attempts.push(attempt); return { rev: 7 } } } })
  const receipt = await outbox.mutate.add({ id: '1', text: 'Buy milk' }, { metadata: { by: 'me' } })
  expect(await receipt.settled).toEqual({ status: 'committed', result: { rev: 7 }, resultKnown: true })
  expect(attempts[0]).toMatchObject({ args: { id: '1', text: 'Buy milk' }, attempt: 1, id: receipt.id, metadata: { by: 'me' } })
  expect(attempts[0]!.idempotencyKey).toBeUndefined()
  await outbox.idle()
  expect(await outbox.peekOutbox()).toEqual([])
  expect('then' in receipt).toBe(false)
})

test('a mutator that returns nothing is known to have; the idempotency key is the same on every attempt (R21)', async () => {
  const keys: unknown[] = []
  const outbox = outboxOf({
    mutators: { add: async ({ idempotencyKey, attempt }: Attempt<Todo>) => { keys.push(idempotencyKey); if (attempt < 3) throw new Error('again') } },
  })
  const add = outbox.createOfflineTransaction({ mutatorName: 'add', enableIdempotencyKey: true })
  const receipt = await add({ id: '1', text: '' })
  await outbox.advance(10_000)
  expect(await receipt.settled).toEqual({ status: 'committed', result: undefined, resultKnown: true })
  expect(keys).toEqual([receipt.id, receipt.id, receipt.id])
})

test('it shows in the calling turn, is kept while offline, and says why (R1, R8, R19)', async () => {
  const outbox = outboxOf({ mutators: { add: async (_: Attempt<Todo>) => 1 }, online: false })
  const batches: ViewChange[][] = []
  outbox.observe((changes) => batches.push([...changes]))
  const stored = outbox.mutate.add({ id: '1', text: 'x' })
  expect(outbox.getSnapshot().items).toMatchObject([{ args: { id: '1', text: 'x' }, state: 'writing', seq: null }])
  expect(batches.flat()).toMatchObject([{ kind: 'set', replay: false }])
  const { id } = await stored
  await outbox.idle()
  // The first attempt is the probe that finds out whether offline is true.
  const items = await outbox.peekOutbox()
  expect(items.length).toBeLessThanOrEqual(1)
  expect(outbox.getSnapshot().online).toBe(false)
  if (items.length === 1) {
    expect(items[0]).toMatchObject({ id, seq: 1, key: ['1'] })
    expect(outbox.explain(id)!.words.length).toBeGreaterThan(3)
  }
  outbox.setOnline(true)
  await outbox.advance(1_000)
  expect(await outbox.peekOutbox()).toEqual([])
  expect(outbox.getSnapshot()).toMatchObject({ status: 'ready', items: [], online: true, leading: true })
})

test('snapshots are the same object until something changes', async () => {
  const outbox = outboxOf({ mutators: { add: async (_: Attempt<Todo>) => { throw new Error('down') } } })
  await outbox.idle()
  let calls = 0
  outbox.subscribe(() => { calls += 1 })
  const before = outbox.getSnapshot()
  expect(outbox.getSnapshot()).toBe(before)
  await outbox.mutate.add({ id: '1', text: '' })
  await outbox.idle()
  const after = outbox.getSnapshot()
  expect(after).not.toBe(before)
  expect(outbox.getSnapshot()).toBe(after)
  expect(after.failures).toBe(before.failures)
  expect(after.items).toMatchObject([{ retryCount: 1, lastError: { name: 'Error', message: 'down' }, state: 'waiting' }])
  expect([after, after.items[0]].every(Object.isFrozen)).toBe(true)
  expect(calls).toBeGreaterThan(0)
})

test('retries back off; Retry-After is a floor (R10, R11)', async () => {
  const at: number[] = []
  const outbox: TestOutbox<any> = outboxOf({
    jitter: false,
    mutators: {
      add: async ({ attempt }: Attempt<Todo>) => {
        at.push(outbox.now())
        if (attempt === 1) throw new TransportError('no answer')
        if (attempt === 2) throw new RetryError('busy', { retryAfter: 30 })
        if (attempt === 3) throw responseError(new Response(null, { status: 503, headers: { 'Retry-After': '100' } }))
      },
    },
  })
  await outbox.mutate.add({ id: '1', text: '' })
  await outbox.advance(200_000)
  expect(at.slice(1).map((time, index) => time - at[index]!)).toEqual([1_000, 30_000, 100_000])
})

test('a date is meant by the system\'s clock, which may have been set since the start (R11)', async () => {
  const later = () => new Date(Date.now() + 20_000)
  const errors = [
    () => new RetryError('busy', { retryAfter: later() }),
    () => responseError(new Response(null, { status: 503, headers: { 'Retry-After': later().toUTCString() } })),
  ]
  const outbox = createOutbox({
    name: 'dates', storage: memoryAdapter(), mutators: { add: async ({ args }: Attempt<number>) => { throw errors[args]!() } },
  })
  open.push(outbox)
  await outbox.ready
  const { now } = Date
  vi.spyOn(Date, 'now').mockImplementation(() => now() + 3_600_000)
  const failed = vi.fn()
  outbox.on('attemptFailed', failed)
  await Promise.all([outbox.mutate.add(0, { key: '0' }), outbox.mutate.add(1, { key: '1' })])
  await vi.waitFor(() => expect(failed).toHaveBeenCalledTimes(2))
  vi.restoreAllMocks()
  for (const [{ nextAttemptAt }] of failed.mock.calls) expect(Math.abs(nextAttemptAt - now() - 20_000)).toBeLessThan(3_000)
})

test('idle is when nothing more happens, however much it is', async () => {
  let sent = 0
  const outbox = outboxOf({ mutators: { add: async (_: Attempt<Todo>) => { sent += 1 } } })
  const add = (_: unknown, id: number) => outbox.mutate.add({ id: String(id), text: '' })
  await Promise.all(Array.from({ length: 2_000 }, add))
  await outbox.idle()
  expect([sent, outbox.getSnapshot().items.length]).toEqual([2_000, 0])
})

test('a refused mutation leaves a failure that can be retried and dismissed (R15)', async () => {
  let isOpen = false
  const outbox = outboxOf({ mutators: { add: async ({ args }: Attempt<Todo>) => { if (!isOpen) throw new NonRetriableError('no'); return args.id } } })
  const cause = await thrown((await outbox.mutate.add({ id: '1', text: '' })).settled)
  expect(cause).toBeInstanceOf(DroppedError)
  expect(cause).toMatchObject({ code: 'dropped', name: 'DroppedError', error: { name: 'NonRetriableError', message: 'no' } })
  expect(cause.cause).toBeInstanceOf(NonRetriableError)
  await outbox.idle()
  const [failure] = await outbox.failures()
  expect(failure).toMatchObject({ error: { message: 'no' }, item: { args: { id: '1' } } })
  expect(outbox.getSnapshot().failures).toEqual([failure])
  isOpen = true
  const again = await outbox.retryFailure(failure!.item.id)
  expect(await again!.settled).toMatchObject({ status: 'committed', result: '1' })
  expect(await outbox.failures()).toEqual([])
  expect(await outbox.retryFailure(failure!.item.id)).toBeUndefined()
  expect(await outbox.dismissFailure('none')).toBe(false)
})

test('errors are told by brand, also those of another copy of this package (R12)', async () => {
  const foreign = Object.assign(new Error('theirs'), { [Symbol.for('outbox-offline.class')]: 'non-retriable' })
  const outbox = outboxOf({ mutators: { add: async (_: Attempt<Todo>) => { throw foreign } } })
  expect(await thrown((await outbox.mutate.add({ id: '1', text: '' })).settled)).toBeInstanceOf(DroppedError)
  const words = outboxOf({ mutators: { add: async (_: Attempt<Todo>) => { throw new Error('HTTP 400, 401 and 404 after 4000 ms') } } })
  await words.mutate.add({ id: '1', text: '' })
  await words.idle()
  expect(await words.peekOutbox()).toHaveLength(1)
})

test('an attempt times out: its signal is aborted, and it is tried again (R14)', async () => {
  const signals: AbortSignal[] = []
  const outbox = outboxOf({
    timeout: 5_000,
    mutators: { add: ({ signal }: Attempt<Todo>) => { signals.push(signal); return new Promise<never>(() => {}) } },
  })
  const { id } = await outbox.mutate.add({ id: '1', text: '' })
  await outbox.idle()
  expect(outbox.getSnapshot().items).toMatchObject([{ state: 'sending' }])
  expect(outbox.explain(id)).toMatchObject({ reason: { kind: 'inFlight', attempt: 1 }, until: outbox.now() + 5_000 })
  await outbox.advance(5_500)
  expect(signals[0]!.aborted).toBe(true)
  expect((signals[0]!.reason as Error).message).toMatch('timed out')
  await outbox.advance(5_000)
  expect(signals.length).toBeGreaterThan(1)
})

test('one key is sent in order, others in parallel (R6, R7)', async () => {
  const running = new Set<string>()
  const log: string[] = []
  const outbox = outboxOf({
    mutators: {
      add: {
        key: ({ text }: Todo) => text,
        mutate: async ({ args }: Attempt<Todo>) => {
          running.add(args.id)
          log.push([...running].sort().join('+'))
          for (let turn = 0; turn < 5; turn += 1) await Promise.resolve()
          running.delete(args.id)
        },
      },
    },
  })
  await Promise.all([['a1', 'a'], ['a2', 'a'], ['b1', 'b']].map(([id, text]) => outbox.mutate.add({ id: id!, text: text! })))
  await outbox.idle()
  expect(log).toContain('a1+b1')
  expect(log.every((line) => !line.includes('a1+a2'))).toBe(true)
  expect(log).toHaveLength(3)
})

test('removing works in flight, and the waiter is told (R18)', async () => {
  const signals: AbortSignal[] = []
  const outbox = outboxOf({ mutators: { add: ({ signal }: Attempt<Todo>) => { signals.push(signal); return new Promise<never>(() => {}) } } })
  const receipt = await outbox.mutate.add({ id: '1', text: '' })
  await outbox.idle()
  expect(await outbox.removeFromOutbox(receipt.id)).toBe(true)
  expect(await outbox.removeFromOutbox(receipt.id)).toBe(false)
  expect(await thrown(receipt.settled)).toBeInstanceOf(RemovedError)
  expect(signals[0]!.aborted).toBe(true)
})

test('beforeRetry squashes, and both waiters get the outcome (R17)', async () => {
  let isUp = false
  const sent: unknown[] = []
  const outbox = outboxOf({
    jitter: false,
    mutators: { save: async ({ args }: Attempt<Todo>) => { if (!isUp) throw new Error('down'); sent.push(args); return args.text } },
    beforeRetry: (items) => {
      const last = items.at(-1)!
      return [items.slice(0, -1).reduce((into, from) => squash(into, from), last)]
    },
  })
  const first = await outbox.mutate.save({ id: '1', text: 'a' })
  const second = await outbox.mutate.save({ id: '1', text: 'ab' })
  await outbox.idle()
  isUp = true
  await outbox.advance(10_000)
  expect(sent).toEqual([{ id: '1', text: 'ab' }])
  expect(await first.settled).toMatchObject({ status: 'committed', result: 'ab' })
  expect(await second.settled).toMatchObject({ status: 'committed', result: 'ab' })
})

test('a hook that throws is told, and nothing it was asked about is sent (R17)', async () => {
  const events: OutboxEvent[] = []
  let attempts = 0
  const outbox = outboxOf({
    mutators: { add: async (_: Attempt<Todo>) => { attempts += 1; throw new Error('down') } },
    beforeRetry: () => { throw new TypeError('oops') },
  })
  outbox.on('hookFailed', (event) => events.push(event))
  await outbox.mutate.add({ id: '1', text: '' })
  await outbox.advance(5_000)
  expect(attempts).toBe(1)
  expect(events[0]).toMatchObject({ error: new TypeError('oops') })
})

test('paused outboxes store, and send when resumed (R20)', async () => {
  const outbox = outboxOf({ mutators: { add: async (_: Attempt<Todo>) => 1 } })
  await outbox.pause('auth')
  const receipt = await outbox.mutate.add({ id: '1', text: '' })
  await outbox.idle()
  expect(outbox.getSnapshot().paused).toEqual(['auth'])
  expect(outbox.explain(receipt.id)).toMatchObject({ reason: { kind: 'paused', reasons: ['auth'] }, words: 'paused: auth' })
  expect(await outbox.resume('auth')).toBe(true)
  expect(await receipt.settled).toMatchObject({ status: 'committed' })
})

test('confirmed holds a committed item in the view, at most 5 s', async () => {
  let confirm: () => void = () => {}
  const told: unknown[] = []
  const outbox = outboxOf({
    mutators: {
      add: {
        mutate: async ({ args }: Attempt<Todo>) => args.text,
        confirmed: (result: unknown, args: Todo) => { told.push([result, args.id]); return new Promise<void>((resolve) => { confirm = resolve }) },
      },
    },
  })
  const receipt = await outbox.mutate.add({ id: '1', text: 'x' })
  await receipt.settled
  await outbox.idle()
  expect(told).toEqual([['x', '1']])
  expect(outbox.getSnapshot().items).toMatchObject([{ id: receipt.id, state: 'confirming' }])
  expect(outbox.explain(receipt.id)).toMatchObject({ reason: { kind: 'confirming' } })
  confirm()
  await outbox.idle()
  expect(outbox.getSnapshot().items).toEqual([])

  const late: OutboxEvent[] = []
  outbox.on('confirmFailed', (event) => late.push(event))
  await outbox.mutate.add({ id: '2', text: 'y' })
  await outbox.advance(4_900)
  expect(outbox.getSnapshot().items).toHaveLength(1)
  await outbox.advance(200)
  expect(outbox.getSnapshot().items).toHaveLength(0)
  expect(late).toHaveLength(1)
})

test('stored args are upgraded; what has no mutator is parked until it is registered (R23)', async () => {
  const { memoryAdapter, createOutbox } = await import('../dist/index.js')
  const storage = memoryAdapter()
  const name = 'upgrading'
  const old = outboxOf({ name, storage, online: false, mutators: { v1: async (_: Attempt<{ title: string }>) => { throw new Error('down') }, gone: async (_: Attempt<Todo>) => { throw new Error('down') } } })
  await old.mutate.v1({ title: 'old' })
  await old.mutate.gone({ id: 'g', text: '' })
  await old.dispose()
  const seen: unknown[] = []
  const outbox = outboxOf({
    name, storage,
    mutators: { v1: { mutate: async ({ args }: Attempt<Todo>) => { seen.push(args) }, upgrade: (args: { title?: string } & Todo) => args.title === undefined ? args : { id: 'v', text: args.title } } },
  })
  await outbox.advance(120_000)
  expect(seen).toEqual([{ id: 'v', text: 'old' }])
  const [parked] = await outbox.peekOutbox()
  expect(parked).toMatchObject({ mutatorName: 'gone', explanation: { reason: { kind: 'parked', why: 'unregistered' } } })
  const more = createOutbox({ name, mutators: { gone: async (_: Attempt<Todo>) => { seen.push('late') } } })
  open.push(more)
  await outbox.advance(120_000)
  expect(seen).toContain('late')
})

test('bad input says what, where and what to do', async () => {
  const outbox = outboxOf({ mutators: { add: async (_: Attempt<Todo>) => 1 } })
  const unregistered = outbox.createOfflineTransaction({ mutatorName: 'ad' as 'add' })
  const error = await thrown(unregistered({ id: '1', text: '' }))
  expect(error).toBeInstanceOf(UnknownMutatorError)
  expect(error.message).toMatch('No mutator is registered as "ad". Call registerOfflineMutators({ ad: … }) first')
  expect(await thrown(outbox.mutate.add({ id: '1', text: '', f: () => 1 } as Todo))).toMatchObject({ code: 'not-json', field: 'args.f' })
  expect(await thrown(outbox.mutate.add({ id: '1', text: '' }, { key: {} as never }))).toMatchObject({ code: 'input', field: 'key' })
  expect(await thrown(outbox.mutate.add({ id: '1', text: 'x'.repeat(2_000_000) }))).toMatchObject({ code: 'input', field: 'args' })
  expect(outbox.getSnapshot().items).toEqual([])
})

test('disposing stops: nothing is lost, waiters and later calls are told', async () => {
  const { memoryAdapter } = await import('../dist/index.js')
  const storage = memoryAdapter()
  const mutators = { add: async (_: Attempt<Todo>) => { throw new Error('down') } }
  const outbox = outboxOf({ name: 'kept', storage, mutators })
  const receipt = await outbox.mutate.add({ id: '1', text: 'kept' })
  await outbox.dispose()
  expect(await thrown(receipt.settled)).toBeInstanceOf(StoppedError)
  expect(await thrown(outbox.mutate.add({ id: '2', text: '' }))).toBeInstanceOf(StoppedError)
  expect(outbox.getSnapshot()).toMatchObject({ status: 'stopped', items: [] })
  const next = outboxOf({ name: 'kept', storage, mutators })
  const changes: ViewChange[] = []
  next.observe((batch) => changes.push(...batch))
  await next.idle()
  expect(changes).toMatchObject([{ kind: 'set', replay: true, item: { id: receipt.id } }])
})

test('a settled promise that nobody looks at raises nothing', async () => {
  const unhandled = vi.fn()
  process.on('unhandledRejection', unhandled)
  const outbox = outboxOf({ mutators: { add: async (_: Attempt<Todo>) => { throw new NonRetriableError('no') } } })
  await outbox.mutate.add({ id: '1', text: '' })
  await outbox.idle()
  await new Promise((resolve) => setTimeout(resolve, 20))
  process.off('unhandledRejection', unhandled)
  expect(unhandled).not.toHaveBeenCalled()
})

test('the recording holds every input', async () => {
  const outbox = outboxOf({ mutators: { add: async (_: Attempt<Todo>) => 1 }, record: true })
  await (await outbox.mutate.add({ id: '1', text: '' })).settled
  const recording = JSON.parse(outbox.exportRecording()!) as { inputs: unknown[] }
  expect(recording.inputs.length).toBeGreaterThan(3)
})

test('a store that cannot be opened is told: ready, event, snapshot, and each call (R1)', async () => {
  const { StorageError } = await import('../dist/index.js')
  let isAllowed = false
  const memory = (await import('../dist/index.js')).memoryAdapter().connect()
  const storage = {
    open: async (name: string) => { if (!isAllowed) throw new StorageError('unavailable', 'private mode'); await memory.open(name) },
    acquire: () => memory.acquire(),
    load: memory.load.bind(memory),
    persist: memory.persist.bind(memory),
    close: () => memory.close(),
  }
  const outbox = outboxOf({ mutators: { add: async (_: Attempt<Todo>) => 1 }, storage, leaderElection: 'none' })
  const events: string[] = []
  outbox.on((event) => events.push(event.type))
  expect(await thrown(outbox.ready)).toMatchObject({ code: 'unavailable', message: expect.stringMatching('private mode') })
  expect(outbox.getSnapshot()).toMatchObject({ status: 'failed', error: { code: 'unavailable' } })
  expect(await thrown(outbox.mutate.add({ id: '1', text: '' }))).toMatchObject({ code: 'unavailable' })
  expect(outbox.getSnapshot().items).toEqual([])
  expect(events).toContain('storageFailed')
  isAllowed = true
  await outbox.advance(60_000)
  await outbox.ready
  expect(outbox.getSnapshot()).toMatchObject({ status: 'ready', error: undefined })
  expect((await (await outbox.mutate.add({ id: '2', text: '' })).settled).result).toBe(1)
})

test('an outbox in a key-value store outlives its page', async () => {
  const { kvStore } = await import('../dist/index.js')
  const map = new Map<string, string>()
  const kv = { get: (key: string) => map.get(key), set: (key: string, value: string) => void map.set(key, value), delete: (key: string) => void map.delete(key), keys: () => map.keys() }
  const first = outboxOf({ name: 'kv', storage: kvStore(kv), mutators: { add: async (_: Attempt<Todo>) => { throw new TransportError('down') } } })
  await first.mutate.add({ id: '1', text: 'kept' })
  await first.idle()
  await first.dispose()
  const sent: unknown[] = []
  const second = outboxOf({ name: 'kv', storage: kvStore(kv), mutators: { add: async ({ args }: Attempt<Todo>) => { sent.push(args) } } })
  await second.advance(120_000)
  expect(sent).toEqual([{ id: '1', text: 'kept' }])
})

test('fake timers of a test runner do not stop it', async () => {
  const outbox = outboxOf({ mutators: { add: async (_: Attempt<Todo>) => 1 } })
  vi.useFakeTimers()
  try {
    await (await outbox.mutate.add({ id: '1', text: '' })).settled
    await outbox.dispose()
  } finally {
    vi.useRealTimers()
  }
})

test('an attempt that ends while the outbox stops is told: it is not sent again', async () => {
  const { createOutbox, memoryAdapter } = await import('../dist/index.js')
  const storage = memoryAdapter()
  const sent: string[] = []
  const outbox = createOutbox({
    name: 'stopping', storage,
    mutators: { add: async ({ args }: Attempt<Todo>) => { await new Promise((resolve) => setTimeout(resolve, 100)); sent.push(args.id) } },
  })
  const receipt = await outbox.mutate.add({ id: '1', text: '' })
  await outbox.dispose()
  expect(await receipt.settled).toMatchObject({ status: 'committed' })
  const next = outboxOf({ name: 'stopping', storage, mutators: { add: async (_: Attempt<Todo>) => { sent.push('again') } } })
  await next.advance(60_000)
  expect(sent).toEqual(['1'])
})
