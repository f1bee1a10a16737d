// A tab that the browser freezes gives the lead away; one that hangs keeps its lock, and its heir steals it: what the
// old leader does when it wakes harms nothing (R26, R27). One whose process is killed, too; and the back/forward
// cache, where pages are frozen.
import { expect } from '@playwright/test'

import { rawTest as test, url } from './fixtures.ts'
import { violations } from './oracle.ts'
import type { RawTab } from './raw.ts'

/** The tab's only thread is busy for so long: no timer, no message, no answer. It does not wait for that. */
function hang(tab: RawTab, ms: number): void {
  void tab.evaluate((ms) => {
    for (const end = performance.now() + ms; performance.now() < end; );
  }, ms).catch(() => {})
}

test('a leader that freezes is followed at once, and does no harm when it thaws', async ({ server, browser2: browser }) => {
  const frozen = await browser.tab(url(server))
  await frozen.leads()
  const heir = await browser.tab(url(server))
  await heir.ready()
  expect(await frozen.evaluate(() => document.visibilityState)).toBe('hidden')
  // An attempt is under way when it freezes.
  server.meets('a 1 0 0', { kind: 'hold' })
  await frozen.evaluate(() => todos.add('a 1 0 0', { key: 'a' }))
  await server.hasSeen('a 1 0 0')
  const start = Date.now()
  await frozen.freeze()
  await heir.leads()
  console.log(`from a leader's freezing to the next one: ${Date.now() - start} ms`)
  await heir.evaluate(() => todos.add('a 1 1 0', { key: 'a' }))
  await server.hasTaken('a 1 0 0', 'a 1 1 0')

  // The first answer comes now.
  server.release()
  await frozen.thaw()
  for (const tab of [frozen, heir]) await expect.poll(() => tab.evaluate(() => todos.pending()), { timeout: 20_000 }).toEqual([])
  expect(violations(server, ['a 1 0 0', 'a 1 1 0'])).toEqual([])
  expect(await heir.evaluate(() => todos.leading())).toBe(true)
  expect(await frozen.evaluate(() => todos.leading())).toBe(false)
})

test('a leader that hangs is followed within 8 s by the tab that has work @long', async ({ server, browser2: browser }) => {
  const hung = await browser.tab(url(server))
  await hung.leads()
  const heir = await browser.tab(url(server))
  await heir.ready()

  hang(hung, 12_000)
  const start = Date.now()
  await heir.evaluate(() => todos.add('a 1 1 0', { key: 'a' }))
  await heir.leads()
  const took = Date.now() - start
  console.log(`from a hung leader to the thief: ${took} ms`)
  expect(took).toBeGreaterThan(4_900)
  expect(took).toBeLessThan(8_000)
  await server.hasTaken('a 1 1 0')

  await expect.poll(() => hung.evaluate(() => todos.leading()), { timeout: 20_000 }).toBe(false)
  await hung.evaluate(() => todos.add('a 1 0 0', { key: 'a' }))
  await server.hasTaken('a 1 1 0', 'a 1 0 0')
})

test('a leader that hangs for about the time of a steal: one of the two leads, nothing is sent twice @long', async ({ server, browser2: browser }) => {
  const tabs = [await browser.tab(url(server)), await browser.tab(url(server))]
  await tabs[0]!.leads()
  const acknowledged: string[] = []
  for (const [round, ms] of [500, 5_000, 6_000, 7_000].entries()) {
    const leading = await Promise.all(tabs.map((tab) => tab.evaluate(() => todos.leading())))
    expect(leading.filter(Boolean)).toHaveLength(1)
    const other = leading.indexOf(false)
    hang(tabs[1 - other]!, ms)
    const text = `a ${round} ${other} 0`
    await tabs[other]!.evaluate((text) => todos.add(text, { key: 'a' }), text)
    acknowledged.push(text)
    await expect.poll(() => server.took, { timeout: 20_000 }).toEqual(acknowledged)
    for (const tab of tabs) await expect.poll(() => tab.evaluate(() => todos.pending()), { timeout: 20_000 }).toEqual([])
  }
  expect(violations(server, acknowledged)).toEqual([])
  expect(server.arrivals).toHaveLength(acknowledged.length)
})

test('the leader\'s renderer is killed: the next one leads within a second, and sends what was under way', async ({ server, browser2: browser }) => {
  const leader = await browser.tab(url(server))
  await leader.leads()
  const heir = await browser.tab(url(server))
  await heir.ready()
  const pid = await leader.renderer()
  server.meets('a 1 0 0', { kind: 'hold' })
  await leader.evaluate(() => todos.add('a 1 0 0', { key: 'a' }))
  await server.hasSeen('a 1 0 0')

  const start = Date.now()
  process.kill(pid, 'SIGKILL')
  await heir.leads()
  const took = Date.now() - start
  console.log(`from the renderer's end to the next leader: ${took} ms`)
  expect(took).toBeLessThan(1_000)
  await heir.evaluate(() => todos.add('a 1 1 0', { key: 'a' }))
  await heir.drained(20_000)
  server.release()
  expect(server.arrived('a 1 0 0')).toBe(2)
  expect(violations(server, ['a 1 0 0', 'a 1 1 0'])).toEqual([])
})

test('a frozen leader that is closed frees its lock', async ({ server, browser2: browser }) => {
  const frozen = await browser.tab(url(server))
  await frozen.leads()
  const heir = await browser.tab(url(server))
  await heir.ready()
  await frozen.freeze()

  await frozen.close()
  await heir.leads()
  await heir.evaluate(() => todos.add('a 1 1 0', { key: 'a' }))
  await server.hasTaken('a 1 1 0')
})

test('a page that comes back out of the back/forward cache, or is made anew, sends what is there', async ({ server, browser2: browser }) => {
  const tab = await browser.tab(url(server))
  await tab.leads()
  const other = await browser.tab(url(server))
  await tab.front()
  await tab.evaluate((to) => void (location.href = to), `${server.url}/todos`)

  // Whoever went away does not lead.
  await other.leads()
  await other.evaluate(() => todos.add('a 1 1 0', { key: 'a' }))
  await server.hasTaken('a 1 1 0')

  await tab.evaluate(() => history.back())
  await tab.shows()
  await tab.evaluate(() => todos.add('a 1 0 0', { key: 'a' }))
  await server.hasTaken('a 1 1 0', 'a 1 0 0')
  for (const each of [tab, other]) await expect.poll(() => each.evaluate(() => todos.pending())).toEqual([])
  expect(violations(server, ['a 1 1 0', 'a 1 0 0'])).toEqual([])
})
