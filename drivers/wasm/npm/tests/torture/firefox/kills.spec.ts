// The whole Firefox is killed in mid-traffic and started again on the same profile, again and again: what was
// acknowledged arrives, per key in order, once.
import { setTimeout as wait } from 'node:timers/promises'

import { expect } from '@playwright/test'

import { sometimes } from '../mishaps.ts'
import { violations } from '../oracle.ts'
import { ROUNDS } from '../rounds.ts'
import { listen, traffic } from '../traffic.ts'
import { test } from './fixtures.ts'

test(`Firefox is killed ${ROUNDS} times`, async ({ firefox, server, recordings }) => {
  test.setTimeout(180_000 + ROUNDS * 60_000)
  const acknowledged = new Set<string>()
  server.isInMood(sometimes)
  for (let round = 1; round <= ROUNDS; round += 1) {
    const tabs = [await firefox.tab(server), await firefox.tab(server)]
    for (const tab of tabs) await listen(tab.page, acknowledged)
    // It ends with its tab.
    tabs.forEach((tab, number) => void traffic(tab, round, number).catch(() => {}))
    await wait(1_500 + Math.random() * 2_000)
    await recordings.take(`round ${round}`, tabs.map(({ page }) => page))
    await wait(Math.random() * 200)
    await firefox.kill(round % 2 === 0 ? 'all' : 'browser')
    expect(violations(server, []), `after kill ${round}`).toEqual([])
    await firefox.start()
  }
  server.isInMood(undefined)
  const last = await firefox.tab(server)
  await last.drained(90_000)
  expect(violations(server, acknowledged)).toEqual([])
  const { arrivals, effects } = server
  console.log(`${ROUNDS} kills: ${acknowledged.size} acknowledged, ${effects.length} took effect, ${arrivals.length} arrived`)
  expect(acknowledged.size).toBeGreaterThan(ROUNDS)
})
