// No network: what is written waits, survives, and goes out when there is one.
import { expect, test } from '../support/fixtures.ts'

test('what is written offline is sent when the network is back', async ({ world }) => {
  const tab = await world.tab()
  await tab.leads()

  await world.goOffline()
  await tab.add('milk')
  await tab.add('bread')
  await tab.shows('milk', 'bread')
  expect(world.server.arrivals).toEqual([])

  await world.goOnline()
  await world.server.hasTaken('milk', 'bread')
  await tab.hasPending()
})

test('what is written offline survives a reload, and shows before there is a network', async ({ world }) => {
  const tab = await world.tab()
  await world.goOffline()
  await tab.add('milk', { key: 'list' })
  await tab.add('bread', { key: 'list' })

  await tab.reload()
  await tab.shows('milk', 'bread')
  expect(world.server.arrivals).toEqual([])

  await world.goOnline()
  await world.server.hasTaken('milk', 'bread')
  await tab.shows('milk', 'bread')
})

test('a reload in the middle of a request loses nothing and repeats no effect', async ({ world }) => {
  world.server.meets('milk', { kind: 'hold' })
  const tab = await world.tab()
  await tab.add('milk')
  await world.server.hasSeen('milk')

  await tab.reload()

  await world.server.hasTaken('milk')
  await tab.hasPending()
  await tab.shows('milk')
})

test('while offline, explain says so', async ({ world }) => {
  const tab = await world.tab()
  await tab.leads()
  await world.goOffline()
  const milk = await tab.add('milk')

  expect(await tab.whyNot(milk)).toMatchObject({ kind: 'offline' })
})
