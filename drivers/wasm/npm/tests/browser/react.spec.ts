// The hooks in two tabs, in StrictMode: what they say of items, failures, network, leadership and pauses, and what they do.
import { expect, test } from '../support/list.ts'

test('who leads shows in both tabs, and changes when the leader is closed', async ({ open }) => {
  const leader = await open()
  await leader.says('ready, online, leading, 0 pending')
  const follower = await open()
  await follower.says('ready, online, following, 0 pending')

  await leader.page.close()
  await follower.says('ready, online, leading, 0 pending')
})

test('the network and a pause show in both tabs, and an item says in words why it waits', async ({ world, open }) => {
  const leader = await open()
  await leader.says('ready, online, leading, 0 pending')
  const follower = await open()

  await world.goOffline()
  await follower.add('milk')
  await leader.says('ready, offline, leading, 1 pending')
  await follower.says('ready, offline, following, 1 pending')
  await expect(leader.todo('milk')).toContainText('waiting: offline')

  await follower.press('Pause')
  await leader.says('ready, offline, leading, 1 pending, login')
  await follower.says('ready, offline, following, 1 pending, login')
  await world.goOnline()
  await leader.says('ready, online, leading, 1 pending, login')
  await follower.says('ready, online, following, 1 pending, login')
  await expect(leader.todo('milk')).toContainText('waiting: paused')
  expect(world.server.arrivals).toEqual([])

  await leader.press('Resume')
  await world.server.hasTaken('milk')
  await leader.says('ready, online, leading, 0 pending')
  await follower.says('ready, online, following, 0 pending')
  await expect(leader.todo('milk')).not.toContainText('waiting')
})

test('an item from its sending to its end, each state in both tabs', async ({ world, open }) => {
  world.server.meets('milk', { kind: 'hold' })
  const leader = await open()
  await leader.says('ready, online, leading, 0 pending')
  const follower = await open()
  await follower.add('milk')

  await expect(leader.todo('milk')).toContainText('sending: ')
  // Only who sends knows that it is being sent.
  await expect(follower.todo('milk')).toContainText('waiting: ')
  // The server's row is long in coming: the answer is known, and waited for.
  world.server.feed.lagMs = 2_000
  world.server.release()
  for (const tab of [leader, follower]) await expect(tab.todo('milk')).toContainText('confirming: ')
  for (const tab of [leader, follower]) await expect(tab.todo('milk').locator('i')).toHaveCount(0)
})

test('a write is taken back from the other tab', async ({ world, open }) => {
  await world.goOffline()
  const leader = await open()
  const follower = await open()
  await leader.add('milk')

  await follower.todo('milk').getByRole('button', { name: 'Take back' }).click()
  await leader.shows()
  await follower.shows()
})

test('a refused write goes from both tabs, shows as a failure in both, and is tried again or dismissed from either', async ({ world, open }) => {
  world.server.feed.change('1', { text: 'bread' })
  world.server.meets('a horse', { kind: 'refuse' }, 2)
  const leader = await open()
  await leader.says('ready, online, leading, 0 pending')
  const follower = await open()
  await follower.shows('bread')
  const both = [leader, follower]

  await follower.rename('bread', 'a horse')
  for (const tab of both) {
    await expect(tab.refused('a horse')).toContainText('a horse failed: ')
    await expect(tab.refused('a horse')).toContainText('422')
    await tab.shows('bread')
  }

  // From the tab that did not write it; it is refused again.
  await leader.refused('a horse').getByRole('button', { name: 'Try again' }).click()
  await world.server.hasSeen('a horse', 2)
  for (const tab of both) {
    await expect(tab.refused('a horse')).toHaveCount(1)
    await tab.shows('bread')
  }

  // Now it is taken.
  await follower.refused('a horse').getByRole('button', { name: 'Try again' }).click()
  await world.server.hasTaken('a horse')
  for (const tab of both) {
    await tab.shows('a horse')
    await expect(tab.refused('a horse')).toHaveCount(0)
  }

  world.server.meets('a cow', { kind: 'refuse' })
  await follower.add('a cow')
  for (const tab of both) await expect(tab.refused('a cow')).toHaveCount(1)
  await leader.refused('a cow').getByRole('button', { name: 'Dismiss' }).click()
  for (const tab of both) {
    await expect(tab.refused('a cow')).toHaveCount(0)
    await tab.shows('a horse')
  }
})
