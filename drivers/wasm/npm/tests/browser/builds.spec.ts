// A new build of the app no longer knows a mutator: its items wait, and are sent by a build that knows it.
import { expect, test } from '../support/fixtures.ts'

test('what a new build cannot run is kept, is told once, and does not hold up the rest', async ({ world }) => {
  await world.goOffline()
  const tab = await world.tab({ build: 'old' })
  const milk = await tab.add('milk')
  await tab.add('bread')

  await tab.load({ build: 'new' })
  await world.goOnline()
  await tab.add('butter')
  await world.server.hasTaken('butter')

  await tab.hasPending('milk', 'bread')
  expect(await tab.whyNot(milk)).toMatchObject({ kind: 'parked', why: 'unregistered' })
  await tab.event('parked')
  expect(await tab.events('parked')).toHaveLength(1)

  await tab.load({ build: 'old' })
  await world.server.hasTaken('butter', 'milk', 'bread')
})

test('a tab of the old build takes over from a leader that cannot run what waits', async ({ world }) => {
  const newer = await world.tab({ build: 'new' })
  await newer.leads()
  const older = await world.tab({ build: 'old' })

  const milk = await older.add('milk')

  expect(await older.told(milk)).toMatchObject({ status: 'committed' })
  await older.leads()
})
