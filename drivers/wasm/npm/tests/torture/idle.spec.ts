// An outbox that can do nothing does nothing: its only timer is the look at the change counter (R28).
import { expect } from '@playwright/test'

import { rawTest as test, url } from './fixtures.ts'

interface Counting {
  counted: { timers: number }
}

/** Every timer that fires is counted, whoever has set it. */
function countTimers(): void {
  const counted = { timers: 0 }
  const counting = (set: typeof setTimeout) => (run: (...args: unknown[]) => void, ms?: number, ...args: unknown[]) => set(() => {
    counted.timers += 1
    run(...args)
  }, ms)
  const { setTimeout, setInterval } = globalThis
  Object.assign(globalThis, { counted, setTimeout: counting(setTimeout), setInterval: counting(setInterval as typeof setTimeout) })
}

test('ten seconds with 10,000 items in backoff: no timer but the look at the counter @long', async ({ server, browser2: browser }) => {
  test.setTimeout(600_000)
  const [items, seconds] = [10_000, 10]
  server.isInMood(() => ({ kind: 'unavailable', retryAfter: '3600' }))
  const tab = await browser.tab(url(server).replace('record=true', 'record=false'), countTimers)
  await tab.leads()
  const start = Date.now()
  await tab.evaluate(async (items) => {
    const add = (number: number) => todos.add(`k${number} 1 0 0`, { key: `k${number}` })
    await Promise.all(Array.from({ length: items }, (_, number) => add(number)))
  }, items)
  // Each has been answered: all wait for an hour.
  await expect.poll(() => server.arrivals.length, { timeout: 540_000 }).toBe(items)
  console.log(`${items} items are in backoff after ${Date.now() - start} ms`)
  await tab.evaluate(() => new Promise((later) => setTimeout(later, 1_000)))

  await tab.evaluate(() => void ((globalThis as unknown as Counting).counted.timers = 0))
  await new Promise((later) => setTimeout(later, seconds * 1_000))
  const timers = await tab.evaluate(() => (globalThis as unknown as Counting).counted.timers)
  console.log(`${timers} timers in ${seconds} s`)
  // The leader looks every 5 s.
  expect(timers).toBeLessThanOrEqual(3)
  expect(server.arrivals).toHaveLength(items)
})
