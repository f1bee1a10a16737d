// The promises in Firefox: stored before it is sent, one sender, nothing lost (R1, R6, R21, R26).
import { expect } from '@playwright/test'

import type { Server } from '../../support/server.ts'
import { violations } from '../oracle.ts'
import { listen, traffic } from '../traffic.ts'
import type { Firefox, FirefoxTab } from './firefox.ts'
import { test } from './fixtures.ts'

/** Two tabs, the first of which leads. */
async function leaderAndHeir(firefox: Firefox, server: Server, script?: () => void): Promise<[FirefoxTab, FirefoxTab]> {
  const leader = await firefox.tab(server, '', script)
  await leader.leads()
  const heir = await firefox.tab(server, '', script)
  await heir.ready()
  return [leader, heir]
}

test('what is stored while the server is away survives a reload, and is sent in order when it is back', async ({ firefox, server }) => {
  server.isInMood(() => ({ kind: 'drop the request' }))
  const tab = await firefox.tab(server)
  const texts = [0, 1, 2, 3, 4].map((number) => `a 1 0 ${number}`)
  for (const text of texts) await tab.add(text)

  await tab.load()
  await tab.ready()
  expect(await tab.pending()).toEqual(texts)
  expect(server.took).toEqual([])

  server.isInMood(undefined)
  await server.hasTaken(...texts)
  await tab.drained(10_000)
  expect(violations(server, texts)).toEqual([])
})

/** When the page is gone, in ms since 1970. */
const ends: Record<string, (tab: FirefoxTab) => Promise<unknown>> = {
  closed: (tab) => tab.close(),
  'navigated away': (tab) => tab.page.goto('about:blank'),
  reloaded: (tab) => tab.page.reload(),
}

for (const [end, happens] of Object.entries(ends)) {
  test(`the leader is ${end} in mid-traffic: the next one leads within a second`, async ({ firefox, server }) => {
    const [leader, heir] = await leaderAndHeir(firefox, server)
    const acknowledged = new Set<string>()
    for (const tab of [leader, heir]) await listen(tab.page, acknowledged)
    traffic(leader, 1, 0).catch(() => {})
    const written = traffic(heir, 1, 1, 3_000)
    await heir.page.evaluate(() => new Promise((later) => setTimeout(later, 700)))

    const took = failover(heir)
    await leader.page.evaluate(() => addEventListener('pagehide', () => new BroadcastChannel('torture').postMessage('gone')))
    await happens(leader)
    console.log(`the leader is ${end}: the next one leads after ${await took} ms`)
    expect(await took).toBeLessThan(1_000)
    await written
    await heir.drained(30_000)
    expect(violations(server, acknowledged)).toEqual([])
  })
}

test('eight tabs at once: one sends', async ({ firefox, server }) => {
  const tabs = await Promise.all(Array.from({ length: 8 }, () => firefox.tab(server)))
  const acknowledged = new Set<string>()
  for (const tab of tabs) await listen(tab.page, acknowledged)
  await Promise.all(tabs.map((tab, number) => traffic(tab, 1, number, 500)))
  for (const tab of tabs) await tab.drained(60_000)
  expect(violations(server, acknowledged)).toEqual([])
  expect(new Set(server.arrivals.map(({ tab }) => tab)).size, 'how many tabs have sent').toBe(1)
})

test('without Web Locks a leader that is closed is followed within the lease', async ({ firefox, server }) => {
  const [leader, heir] = await leaderAndHeir(firefox, server, () => Object.defineProperty(Navigator.prototype, 'locks', { value: undefined }))
  await leader.add('a 1 0 0')
  await server.hasTaken('a 1 0 0')

  await leader.close()
  const start = Date.now()
  await heir.leads()
  console.log(`without Web Locks the next one leads after ${Date.now() - start} ms`)
  expect(Date.now() - start).toBeLessThan(12_000)
  await heir.add('a 1 1 0')
  await server.hasTaken('a 1 0 0', 'a 1 1 0')
})

test('a page that comes back out of the back/forward cache, or is made anew, sends what is there', async ({ firefox, server }) => {
  const [leader, heir] = await leaderAndHeir(firefox, server)
  await leader.page.goto(`${server.url}/todos`)
  await heir.leads()
  await heir.add('a 1 1 0')
  await server.hasTaken('a 1 1 0')

  await leader.page.goBack()
  await leader.shows()
  await leader.add('a 1 0 0')
  await server.hasTaken('a 1 1 0', 'a 1 0 0')
  for (const tab of [leader, heir]) await tab.drained(20_000)
})

/** From the leader's going, which it tells, to this tab's leading, in ms by this tab's clock: the wire to Firefox is slow. */
function failover(heir: FirefoxTab): Promise<number> {
  return heir.page.evaluate(async () => {
    const gone = new Promise<number>((heard) => {
      new BroadcastChannel('torture').onmessage = () => heard(performance.now())
    })
    while (!todos.leading()) await new Promise((later) => setTimeout(later, 5))
    return Math.max(0, Math.round(performance.now() - (await gone)))
  })
}
