// A large outbox after a reload: restored in parts, between which the page may draw.
import { expect, test } from '../support/fixtures.ts'

const COUNT = 3_000

test('3,000 items are there when it is ready, each told once, in parts, and none blocks the page for long', async ({ world }) => {
  const tab = await world.tab({ idle: true })
  const stored = await tab.page.evaluate(store, COUNT)

  await tab.reload()
  const { told, parts, atReady, longest } = await tab.page.evaluate(restore)

  expect(told).toEqual(stored)
  expect(atReady).toBe(COUNT)
  expect(Math.max(...parts)).toBeLessThanOrEqual(1_000)
  expect(parts.length).toBeGreaterThan(2)
  // A bound that a busy machine keeps too; the benchmark has the figure.
  expect(longest).toBeLessThan(500)
  await tab.page.screenshot({ path: test.info().outputPath('restored.png') })
})

test('a page that is left in the middle of a restore loses nothing', async ({ world }) => {
  const tab = await world.tab({ idle: true })
  const stored = await tab.page.evaluate(store, COUNT)
  await tab.reload()
  await tab.page.evaluate(leaveInTheMiddle)

  await tab.reload()

  expect((await tab.page.evaluate(restore)).told).toEqual(stored)
})

type Package = typeof import('outbox-offline')

/** In the page: stores so many in the outbox `large`, which is paused; resolves to their ids. */
async function store(count: number): Promise<string[]> {
  const path = '/outbox/index.js'
  const { createOutbox } = (await import(path)) as Package
  const outbox = createOutbox({ name: 'large', mutators: { add: async () => {} } })
  await outbox.pause('wait')
  const receipts = await Promise.all(Array.from({ length: count }, (_, number) => outbox.mutate.add(number, { key: `${number}` })))
  await outbox.dispose()
  return receipts.map(({ id }) => id)
}

/** In the page: what is told of `large` until it is ready. */
async function restore(): Promise<{ told: string[]; parts: number[]; atReady: number; longest: number }> {
  const path = '/outbox/index.js'
  const { createOutbox } = (await import(path)) as Package
  const tasks = new PerformanceObserver(() => {})
  tasks.observe({ type: 'longtask' })
  const outbox = createOutbox({ name: 'large', mutators: { add: async () => {} } })
  const told: string[] = []
  const parts: number[] = []
  outbox.observe((changes) => {
    if (changes.length > 0) parts.push(changes.length)
    for (const { kind, item } of changes) told.push(kind === 'set' ? item.id : `left: ${item.id}`)
  })
  await outbox.ready
  const atReady = outbox.getSnapshot().items.length
  document.body.textContent = `${atReady} items are pending.`
  await new Promise((done) => { setTimeout(done, 200) })
  const longest = Math.max(0, ...tasks.takeRecords().map(({ duration }) => duration))
  return { told, parts, atReady, longest }
}

/** In the page: resolves when a part of `large` has been told. */
async function leaveInTheMiddle(): Promise<void> {
  const path = '/outbox/index.js'
  const { createOutbox } = (await import(path)) as Package
  const outbox = createOutbox({ name: 'large', mutators: { add: async () => {} } })
  await new Promise<void>((begun) => {
    outbox.observe((changes) => { if (changes.length > 0) begun() })
  })
}
