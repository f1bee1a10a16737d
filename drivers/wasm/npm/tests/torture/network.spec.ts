// A bad network and a moody server, on loopback but real: nothing is lost or doubled, order is kept (R6, R11, R14).
import { expect } from '@playwright/test'

import type { Mishap } from '../support/server.ts'
import { test } from './fixtures.ts'
import { violations } from './oracle.ts'
import { listen, traffic } from './traffic.ts'

const how = { plain: true, record: true }

const moods: Record<string, () => Mishap> = {
  'drops requests': () => ({ kind: 'drop the request' }),
  'drops replies': () => ({ kind: 'drop the reply' }),
  'resets connections': () => ({ kind: 'reset' }),
  'is slow': () => ({ kind: 'delay', ms: 300 }),
  'answers in halves': () => ({ kind: 'slow body', ms: 300 }),
  'asks for a second': () => ({ kind: 'unavailable', retryAfter: '1' }),
  'asks by a date, with 429': () => ({ kind: 'unavailable', status: 429, retryAfter: new Date(Date.now() + 2_000).toUTCString() }),
}

test('every mood in turn, and the online flag flaps', async ({ world }) => {
  const tab = await world.tab(how)
  const acknowledged = new Set<string>()
  await listen(tab.page, acknowledged)
  const written = traffic(tab, 1, 0, 6_000)
  for (const mood of Object.values(moods)) {
    world.server.isInMood(() => (Math.random() < 0.5 ? mood() : undefined))
    await tab.page.waitForTimeout(600)
    // The flag says nothing of what is true.
    await tab.page.evaluate(() => {
      dispatchEvent(new Event('offline'))
      dispatchEvent(new Event('online'))
    })
  }
  await written
  world.server.isInMood(undefined)
  await tab.drained(90_000)
  expect(violations(world.server, acknowledged)).toEqual([])
})

test('an attempt that hangs is cancelled in time and sent again', async ({ world }) => {
  world.server.meets('a 1 0 0', { kind: 'hold' })
  const tab = await world.tab({ ...how, timeout: 1_000 })

  await tab.add('a 1 0 0', { key: 'a' })

  await world.server.hasTaken('a 1 0 0')
  await tab.hasPending()
  const [first, second] = world.server.arrivals
  expect(second!.at - first!.at).toBeGreaterThanOrEqual(1_000)
  expect(violations(world.server, ['a 1 0 0'])).toEqual([])
})

test('a browser that says it is online when it is not, and offline when it is not, delays and loses nothing', async ({ world }) => {
  await world.context.addInitScript(() => Object.defineProperty(Navigator.prototype, 'onLine', { get: () => true }))
  const tab = await world.tab(how)
  await tab.leads()
  await world.goOffline()
  // Playwright's `offline` event is heard; the flag says otherwise, and so does this.
  await tab.page.evaluate(() => void dispatchEvent(new Event('online')))
  await tab.add('a 1 0 0', { key: 'a' })
  await tab.page.waitForTimeout(1_500)
  expect(world.server.arrivals).toEqual([])

  await world.goOnline()
  await world.server.hasTaken('a 1 0 0')
  await tab.hasPending()
})
