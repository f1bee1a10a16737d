// `pause` and `resume`: for an expired login, from any tab, across reloads.
import { expect, test } from '../support/fixtures.ts'

test('a pause holds all tabs, and outlives a reload', async ({ world }) => {
  const leader = await world.tab()
  await leader.leads()
  const follower = await world.tab()

  await follower.pause('login expired')
  const milk = await leader.add('milk')
  await follower.hasPending('milk')
  expect(await leader.whyNot(milk)).toMatchObject({ kind: 'paused', reasons: ['login expired'] })

  await leader.reload()
  await leader.hasPending('milk')
  expect(await leader.pausedFor()).toEqual(['login expired'])
  expect(world.server.arrivals).toEqual([])

  await leader.resume('login expired')
  await world.server.hasTaken('milk')
  await follower.hasPending()
})

test('as many pauses as there are reasons: all must be resumed', async ({ world }) => {
  const tab = await world.tab()
  await tab.pause('login expired')
  await tab.pause('battery is low')
  const milk = await tab.add('milk')

  await tab.resume('login expired')
  expect(await tab.whyNot(milk)).toMatchObject({ kind: 'paused', reasons: ['battery is low'] })
  expect(world.server.arrivals).toEqual([])

  await tab.resume('battery is low')
  await world.server.hasTaken('milk')
})
