// An outbox that can do nothing does nothing: its only timer is the look at the change counter (R28).
import { expect, test } from '../support/fixtures.ts'

interface Counting {
  counted: { timers: number }
}

test('ten seconds with many items in backoff: no timer but the look at the counter @long', async ({ world }) => {
  const [items, seconds] = [400, 10]
  world.server.isInMood(() => ({ kind: 'unavailable', retryAfter: '3600' }))
  await world.context.addInitScript(() => {
    const counted = { timers: 0 }
    const { setTimeout } = globalThis
    const counting = (run: () => void, ms?: number) => setTimeout(() => {
      counted.timers += 1
      run()
    }, ms)
    Object.assign(globalThis, { counted, setTimeout: counting })
  })
  await world.goOffline()
  const tab = await world.tab({ plain: true })
  await tab.ready()
  await tab.page.evaluate((items) => Promise.all(Array.from({ length: items }, (_, number) => todos.add(`a 1 0 ${number}`, { key: `k${number % 100}` }))), items)
  await world.goOnline()
  // The first of every lane has been answered: all wait for an hour.
  await expect.poll(() => new Set(world.server.arrivals.map(({ text }) => text)).size, { timeout: 60_000 }).toBe(100)
  await tab.page.waitForTimeout(1_000)

  await tab.page.evaluate(() => void ((globalThis as unknown as Counting).counted.timers = 0))
  await tab.page.waitForTimeout(seconds * 1_000)
  const { timers } = await tab.page.evaluate(() => (globalThis as unknown as Counting).counted)
  console.log(`${timers} timers in ${seconds} s`)
  // The leader looks every 5 s.
  expect(timers).toBeLessThanOrEqual(3)
  expect(world.server.arrivals).toHaveLength(100)
})
