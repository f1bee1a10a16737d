// The whole browser is killed in mid-traffic and started again on the same profile, again and again: what was
// acknowledged arrives, per key in order, once.
import { setTimeout as wait } from 'node:timers/promises'

import { expect, test } from '@playwright/test'

import { Server } from '../support/server.ts'
import { Tab } from '../support/tab.ts'
import { Browser } from './browser.ts'
import { sometimes } from './mishaps.ts'
import { violations } from './oracle.ts'
import { Recordings } from './recordings.ts'
import { ROUNDS } from './rounds.ts'
import { listen, traffic } from './traffic.ts'

const how = { plain: true, record: true }
/** An item that was killed in flight again and again waits a minute; what follows it goes at once (R10). */
const STALL_MS = 90_000

test(`the browser is killed ${ROUNDS} times`, async ({}, info) => {
  test.setTimeout(120_000 + ROUNDS * 40_000)
  const [server, browser, recordings] = [await Server.start(), await Browser.make(), new Recordings(info)]
  const acknowledged = new Set<string>()
  server.isInMood(sometimes)
  try {
    for (let round = 1; round <= ROUNDS; round += 1) {
      const context = await browser.start()
      const tabs = await Promise.all([0, 1].map(async (number) => {
        const tab = await Tab.open(context, server, how)
        await listen(tab.page, acknowledged)
        // It ends with its tab.
        traffic(tab, round, number).catch(() => {})
        return tab
      }))
      await wait(200 + Math.random() * 1_500)
      if (round % 10 === 0) console.log(`${round} kills, ${acknowledged.size} acknowledged, ${server.effects.length} took effect`)
      await recordings.take(`round ${round}`, tabs.map(({ page }) => page))
      await wait(Math.random() * 200)
      await browser.kill(round % 2 === 0 ? 'all' : 'browser')
      expect(violations(server, []), `after kill ${round}`).toEqual([])
    }
    server.isInMood(undefined)
    const last = await Tab.open(await browser.start(), server, how)
    await drains(last)
    expect(violations(server, acknowledged)).toEqual([])
    const { arrivals, effects } = server
    console.log(`${ROUNDS} kills: ${acknowledged.size} acknowledged, ${effects.length} took effect, ${arrivals.length} arrived`)
    expect(acknowledged.size).toBeGreaterThan(ROUNDS)
  } finally {
    await recordings.take('at the end', browser.pages)
    await browser.end()
    await server.stop()
    await recordings.finish()
  }
})

/** Waits until nothing is pending, as long as it becomes less: how much there is to drain depends on the machine. */
async function drains(tab: Tab): Promise<void> {
  await tab.ready()
  for (let left = Infinity; left > 0; ) {
    const before = left
    const pending = async () => (left = (await tab.pending()).length)
    await expect.poll(pending, { message: 'how many are pending', timeout: STALL_MS }).toBeLessThan(before)
  }
}
