// A browser without Web Locks: leases over BroadcastChannel decide who leads.
import { expect, test } from '../support/fixtures.ts'

test.beforeEach(async ({ world }) => {
  await world.context.addInitScript(() => {
    Object.defineProperty(Navigator.prototype, 'locks', { value: undefined })
  })
})

test('one of two tabs leads, and sends what the other wrote', async ({ world }) => {
  const leader = await world.tab()
  await leader.leads()
  const follower = await world.tab()

  const milk = await follower.add('milk')

  expect(await follower.told(milk)).toMatchObject({ status: 'committed' })
  expect(await follower.isLeading()).toBe(false)
  expect(world.server.arrived('milk')).toBe(1)
})

for (const end of ['closed', 'crashed'] as const) {
  test(`a leader that is ${end} is followed by the other tab`, async ({ world }) => {
    const leader = await world.tab()
    await leader.leads()
    const follower = await world.tab()

    await (end === 'closed' ? leader.close() : leader.crash())

    await follower.leads()
    await follower.add('milk')
    await world.server.hasTaken('milk')
  })
}
