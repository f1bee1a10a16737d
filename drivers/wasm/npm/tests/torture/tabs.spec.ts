// Many tabs: opened at once, killed in every way, and workers. One of them sends (R26), and nobody is needed.
import { expect } from '@playwright/test'

import type { Tab } from '../support/tab.ts'
import { test } from './fixtures.ts'
import { violations } from './oracle.ts'
import { OPENINGS } from './rounds.ts'
import { listen, traffic } from './traffic.ts'

const how = { plain: true, record: true }

/** Two tabs, the first of which leads. */
async function leaderAndHeir(open: () => Promise<Tab>): Promise<[Tab, Tab]> {
  const leader = await open()
  await leader.leads()
  const heir = await open()
  await heir.ready()
  return [leader, heir]
}

test(`eight tabs are opened at once, ${OPENINGS} times: one sends`, async ({ world, recordings }) => {
  test.setTimeout(60_000 + OPENINGS * 60_000)
  const acknowledged = new Set<string>()
  for (let round = 0; round < OPENINGS; round += 1) {
    const before = world.server.arrivals.length
    const tabs = await Promise.all(Array.from({ length: 8 }, () => world.tab(how)))
    for (const tab of tabs) await listen(tab.page, acknowledged)
    await Promise.all(tabs.map((tab, number) => traffic(tab, round, number, 500)))
    for (const tab of tabs) await tab.drained(60_000)
    expect(violations(world.server, acknowledged)).toEqual([])
    const senders = new Set(world.server.arrivals.slice(before).map(({ tab }) => tab))
    expect(senders.size, 'how many tabs have sent').toBe(1)
    const leading = await Promise.all(tabs.map((tab) => tab.isLeading()))
    expect(leading.filter(Boolean)).toHaveLength(1)
    await recordings.take(`opening ${round + 1}`, tabs.map(({ page }) => page))
    await Promise.all(tabs.map((tab) => tab.close()))
    if (round % 10 === 9) console.log(`${round + 1} openings: ${acknowledged.size} acknowledged, ${world.server.arrivals.length} arrived`)
  }
})

/** When the page is gone, in ms since 1970: a browser takes its time before that. */
const ends: Record<string, (tab: Tab) => Promise<number>> = {
  closed: async (tab) => (await tab.close(), Date.now()),
  'crashed @long': async (tab) => (await tab.crash(), Date.now()),
  'navigated away': (tab) => left(tab, () => tab.page.goto('about:blank')),
  'reloaded @long': (tab) => left(tab, () => tab.reload()),
}

async function left(tab: Tab, leave: () => Promise<unknown>): Promise<number> {
  const gone = new Promise<number>((resolve) => tab.page.once('framenavigated', () => resolve(Date.now())))
  await leave()
  return gone
}

for (const [end, happens] of Object.entries(ends)) {
  test(`the leader is ${end} in mid-traffic: the next one leads within a second`, async ({ world }) => {
    const [leader, heir] = await leaderAndHeir(() => world.tab(how))
    const acknowledged = new Set<string>()
    for (const tab of [leader, heir]) await listen(tab.page, acknowledged)
    traffic(leader, 1, 0).catch(() => {})
    const written = traffic(heir, 1, 1, 3_000)
    written.catch(() => {})
    await heir.page.waitForTimeout(700)

    const gone = happens(leader)
    await expect.poll(() => heir.isLeading(), { intervals: [10] }).toBe(true)
    const led = Date.now()
    const took = led - (await gone)
    console.log(`the leader is ${end}: the next one leads after ${Math.max(0, took)} ms`)
    expect(took).toBeLessThan(1_000)
    await written
    await heir.drained(30_000)
    expect(violations(world.server, acknowledged)).toEqual([])
  })
}

test('without Web Locks a crashed leader is followed within the lease @long', async ({ world }) => {
  await world.context.addInitScript(() => Object.defineProperty(Navigator.prototype, 'locks', { value: undefined }))
  const [leader, heir] = await leaderAndHeir(() => world.tab(how))
  const acknowledged = new Set<string>()
  await listen(heir.page, acknowledged)
  const written = traffic(heir, 1, 1, 2_000)

  const start = Date.now()
  await leader.crash()
  await expect.poll(() => heir.isLeading(), { timeout: 20_000, intervals: [20] }).toBe(true)
  console.log(`without Web Locks the next one leads after ${Date.now() - start} ms`)
  expect(Date.now() - start).toBeLessThan(12_000)
  await written
  await heir.drained(30_000)
  expect(violations(world.server, acknowledged)).toEqual([])
})

for (const kind of ['Worker', 'SharedWorker'] as const) {
  test(`an outbox in a ${kind} sends, and a tab takes over when it ends`, async ({ world }) => {
    const tab = await world.tab({ ...how, idle: true })
    await tab.page.evaluate(async (kind) => {
      const source = '/worker.js'
      const worker = kind === 'Worker' ? new Worker(source, { type: 'module' }) : new SharedWorker(source, { type: 'module' })
      const port = worker instanceof Worker ? worker : worker.port
      const ask = (message: unknown) => new Promise<unknown>((resolve) => {
        port.onmessage = ({ data }) => resolve(data)
        port.postMessage(message)
      })
      Object.assign(globalThis, { ask, worker })
      await ask({ start: true })
    }, kind)
    const ask = (message: object) => tab.page.evaluate((message) => (globalThis as unknown as { ask(message: object): Promise<unknown> }).ask(message), message)

    await ask({ add: 'a 1 0 0' })
    await world.server.hasTaken('a 1 0 0')
    expect(await ask({ leading: true })).toBe(true)

    const heir = await world.tab(how)
    await heir.add('a 1 1 0', { key: 'a' })
    await world.server.hasTaken('a 1 0 0', 'a 1 1 0')
    expect(world.server.arrivals.map(({ tab }) => tab)).toEqual(['worker', 'worker'])

    await tab.close()
    await heir.leads()
    await heir.add('a 1 1 1', { key: 'a' })
    await world.server.hasTaken('a 1 0 0', 'a 1 1 0', 'a 1 1 1')
  })
}

test('deleteOutbox deletes what is stored, in every tab, and what follows starts anew', async ({ world }) => {
  await world.goOffline()
  const [leader, other] = await leaderAndHeir(() => world.tab(how))
  await leader.add('a 1 0 0', { key: 'a' })
  await other.hasPending('a 1 0 0')

  await leader.evaluate(() => todos.deleteAll())
  await world.goOnline()
  await other.hasPending()
  await other.add('a 1 1 0', { key: 'a' })
  await world.server.hasTaken('a 1 1 0')
  await leader.load(how)
  await leader.add('a 1 0 1', { key: 'a' })
  await world.server.hasTaken('a 1 1 0', 'a 1 0 1')
})
