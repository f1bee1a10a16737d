// `beforeRetry`: what waited through an outage is filtered, merged or rewritten before it goes out.
import { expect, test, type World } from '../support/fixtures.ts'
import type { How, Tab } from '../support/tab.ts'

/** A tab that has written `texts` in an outage, and has been reloaded. */
async function afterAnOutage(world: World, how: How, ...texts: string[]): Promise<Tab> {
  await world.goOffline()
  const tab = await world.tab(how)
  for (const text of texts) await tab.add(text, { key: 'list' })
  await tab.reload()
  await tab.hasPending(...texts)
  return tab
}

test('what the hook leaves out is removed', async ({ world }) => {
  const tab = await afterAnOutage(world, { beforeRetry: 'drop the stale' }, 'stale bread', 'milk')

  await world.goOnline()

  await world.server.hasTaken('milk')
  await tab.hasPending()
  expect(world.server.arrived('stale bread')).toBe(0)
})

test('what the hook squashes goes out as one write', async ({ world }) => {
  const tab = await afterAnOutage(world, { beforeRetry: 'squash' }, 'milk', 'bread', 'butter')

  await world.goOnline()

  await world.server.hasTaken('milk and bread and butter')
  await tab.hasPending()
  expect(world.server.arrivals.length).toBe(1)
})

test('the waiters of what was squashed are told the outcome of what it became', async ({ world }) => {
  await world.goOffline()
  const tab = await world.tab({ beforeRetry: 'squash' })
  // The probe of an offline outbox makes the first one a retry.
  world.server.meets('milk', { kind: 'unavailable', retryAfter: '0' })
  await world.goOnline()
  const milk = await tab.add('milk', { key: 'list' })
  const bread = await tab.add('bread', { key: 'list' })

  const outcome = { status: 'committed', result: { accepted: 'milk and bread' }, resultKnown: true }
  expect(await tab.told(milk)).toEqual(outcome)
  expect(await tab.told(bread)).toEqual(outcome)
})

test('what the hook rewrites goes out rewritten, and shows so', async ({ world }) => {
  const tab = await afterAnOutage(world, { beforeRetry: 'shout' }, 'milk')

  await world.goOnline()

  await world.server.hasTaken('MILK')
  await tab.shows('MILK')
})

test('a hook that throws sends nothing, and is reported', async ({ world }) => {
  const tab = await afterAnOutage(world, { beforeRetry: 'throw' }, 'milk')

  await world.goOnline()

  expect(String((await tab.event('hookFailed')).error)).toContain('the hook is broken')
  await tab.hasPending('milk')
  expect(world.server.arrivals).toEqual([])
})
