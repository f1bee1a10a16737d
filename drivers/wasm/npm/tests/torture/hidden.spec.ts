// A tab in the background, whose timers the browser lets fire once a second, and later once a minute: what is due is
// late, and never lost; a hidden leader that is asked answers, and is not robbed of its lead (R10, R26).
import { expect } from '@playwright/test'

import { rawTest as test, url } from './fixtures.ts'
import { violations } from './oracle.ts'
import type { RawBrowser, RawTab } from './raw.ts'

/** Puts another tab in front of this one. */
async function hide(browser: RawBrowser, tab: RawTab): Promise<void> {
  await browser.ask('Target.createTarget', { url: 'about:blank' })
  await expect.poll(() => tab.evaluate(() => document.visibilityState)).toBe('hidden')
}

interface Chained {
  late: number[]
}

/** Starts a chain of timers of 100 ms each, which notes how late each comes, in ms. */
async function chain(tab: RawTab): Promise<void> {
  await tab.evaluate(() => {
    const late: number[] = []
    Object.assign(globalThis, { late })
    const next = (start: number) => setTimeout(() => {
      late.push(Math.round(performance.now() - start - 100))
      next(performance.now())
    }, 100)
    next(performance.now())
  })
}

/** By how much the latest was late so far. */
const latest = (tab: RawTab) => tab.evaluate(() => Math.max(0, ...(globalThis as unknown as Chained).late))

test('timers once a second: a hidden leader sends again late, and keeps the lead', async ({ server, browser2: browser }) => {
  const leader = await browser.tab(url(server))
  await leader.leads()
  const other = await browser.tab(url(server))
  await other.ready()
  await hide(browser, other)
  await chain(leader)
  await expect.poll(() => latest(leader), { message: 'by how much timers are late' }).toBeGreaterThan(500)

  server.meets('a 1 0 0', { kind: 'drop the request' }, 3)
  const texts = ['a 1 0 0', 'a 1 1 0', 'b 1 1 0']
  await leader.evaluate(() => todos.add('a 1 0 0', { key: 'a' }))
  await other.evaluate(() => todos.add('a 1 1 0', { key: 'a' }))
  await other.evaluate(() => todos.add('b 1 1 0', { key: 'b' }))
  // 1 + 2 + 4 s of backoff, and each a second late at most.
  await other.drained(20_000)
  expect(violations(server, texts)).toEqual([])
  expect(await leader.evaluate(() => todos.leading())).toBe(true)
})

test.describe('timers once a minute', () => {
  test.use({ flags: ['--enable-features=IntensiveWakeUpThrottling:grace_period_seconds/5'] })

  test('a hidden leader sends again late, and keeps the lead @long', async ({ server, browser2: browser }) => {
    test.setTimeout(300_000)
    const leader = await browser.tab(url(server))
    await leader.leads()
    const other = await browser.tab(url(server))
    await other.ready()
    await hide(browser, other)
    // So long after it was loaded and hidden it is throttled.
    await new Promise((later) => setTimeout(later, 14_000))
    await chain(leader)

    server.meets('a 1 0 0', { kind: 'drop the request' }, 4)
    await leader.evaluate(() => todos.add('a 1 0 0', { key: 'a' }))
    await other.evaluate(() => todos.add('a 1 1 0', { key: 'a' }))
    await other.drained(240_000)
    const [first, ...again] = server.arrivals.filter(({ text }) => text === 'a 1 0 0')
    console.log(`sent again after ${again.map(({ at }) => at - first!.at)} ms; the latest timer came ${await latest(leader)} ms late`)
    await expect.poll(() => latest(leader), { message: 'by how much timers are late', timeout: 70_000 }).toBeGreaterThan(10_000)
    expect(violations(server, ['a 1 0 0', 'a 1 1 0'])).toEqual([])
    expect(await leader.evaluate(() => todos.leading())).toBe(true)
  })
})
