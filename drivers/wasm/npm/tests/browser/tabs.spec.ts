// Several tabs: one sends, all show the same, and none is needed for what it wrote.
import { expect, test } from '../support/fixtures.ts'

test('one of two tabs leads, and both show what either wrote', async ({ world }) => {
  await world.goOffline()
  const leader = await world.tab()
  await leader.leads()
  const follower = await world.tab()

  await follower.add('milk')
  await leader.add('bread')

  await leader.shows('milk', 'bread')
  await follower.shows('milk', 'bread')
  expect(await follower.isLeading()).toBe(false)
})

test('the leader sends what a follower wrote, and the follower is told the result', async ({ world }) => {
  const leader = await world.tab()
  await leader.leads()
  const follower = await world.tab()

  const milk = await follower.add('milk')

  expect(await follower.told(milk)).toEqual({ status: 'committed', result: { accepted: 'milk' }, resultKnown: true })
  expect(await follower.isLeading()).toBe(false)
  expect(world.server.took).toEqual(['milk'])
})

for (const end of ['closed', 'crashed'] as const) {
  test(`a leader that is ${end} is followed by the other tab, which sends the rest`, async ({ world }) => {
    world.server.meets('milk', { kind: 'hold' })
    const leader = await world.tab()
    await leader.leads()
    const follower = await world.tab()
    await leader.add('milk', { key: 'list' })
    await leader.add('bread', { key: 'list' })
    await world.server.hasSeen('milk')

    await (end === 'closed' ? leader.close() : leader.crash())

    await follower.leads()
    await world.server.hasTaken('milk', 'bread')
    await follower.hasPending()
    await follower.shows('milk', 'bread')
  })
}

test('what a follower wrote during an outage arrives after that follower was killed', async ({ world }) => {
  const leader = await world.tab()
  await leader.leads()
  const follower = await world.tab()
  await world.goOffline()

  await follower.add('milk')
  await follower.crash()
  expect(world.server.arrivals).toEqual([])

  await world.goOnline()
  await world.server.hasTaken('milk')
  await leader.hasPending()
})

test('all tabs are killed during an outage; the next one sends what they wrote', async ({ world }) => {
  const leader = await world.tab()
  await leader.leads()
  const follower = await world.tab()
  await world.goOffline()
  await leader.add('milk', { key: 'list' })
  await follower.add('bread', { key: 'list' })
  await leader.crash()
  await follower.crash()

  await world.goOnline()
  const next = await world.tab()

  await world.server.hasTaken('milk', 'bread')
  await next.hasPending()
})

test('what one tab deletes is gone from the others at once', async ({ world }) => {
  const leader = await world.tab()
  await leader.leads()
  const other = await world.tab()
  await world.goOffline()
  await leader.add('milk')
  await other.hasPending('milk')

  const since = Date.now()
  await other.evaluate(() => todos.deleteAll())
  await leader.hasPending()
  // It would look by itself every 5 s.
  expect(Date.now() - since).toBeLessThan(3_000)
})

test('an item is removed from a follower', async ({ world }) => {
  await world.goOffline()
  const leader = await world.tab()
  await leader.leads()
  const follower = await world.tab()
  const milk = await leader.add('milk')
  await follower.hasPending('milk')

  expect(await follower.remove(milk)).toBe(true)
  expect(await follower.remove(milk)).toBe(false)

  await leader.hasPending()
  expect(await leader.told(milk)).toMatchObject({ error: 'RemovedError' })
})
