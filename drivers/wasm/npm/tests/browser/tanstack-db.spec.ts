// Pending writes in the TanStack DB collections of two tabs: one sends, both show the same, at once and without flicker.
import { expect, test } from '../support/list.ts'
import type { ListTab } from '../support/list-tab.ts'

/** What was rendered since a text was first there, if it was missing from a render after that. */
async function rendersWithout(text: string, tab: ListTab): Promise<string[][]> {
  const renders = await tab.renders()
  return renders.slice(renders.findIndex((texts) => texts.includes(text))).filter((texts) => !texts.includes(text))
}

test('what a follower writes shows at once, is sent by the leader, and settles in both tabs without flicker', async ({ world, open }) => {
  world.server.meets('milk', { kind: 'hold' })
  // The server's answer overtakes its stream: `confirmed` waits for that.
  world.server.feed.lagMs = 300
  const leader = await open()
  await leader.says('ready, online, leading, 0 pending')
  const follower = await open()
  await follower.says('ready, online, following, 0 pending')

  await follower.page.getByLabel('New to-do').fill('milk')
  const add = follower.page.getByRole('button', { name: 'Add' })
  expect(await follower.textsAtOnceAfter(add)).toEqual(['milk'])
  await world.server.hasSeen('milk')
  for (const tab of [leader, follower]) {
    await tab.shows('milk')
    await expect(tab.page.getByRole('status')).toContainText('1 pending')
  }
  expect(world.server.arrivals[0]).toMatchObject({ text: 'milk', tab: await leader.name() })

  world.server.release()
  await leader.says('ready, online, leading, 0 pending')
  await follower.says('ready, online, following, 0 pending')
  for (const tab of [leader, follower]) {
    await tab.shows('milk')
    const [first, ...rest] = await tab.changes()
    expect(first).toBe('insert milk')
    expect(new Set(rest)).toEqual(new Set(['update milk']))
    expect(await rendersWithout('milk', tab)).toEqual([])
  }
  expect(world.server.took).toEqual(['milk'])
})

test('without `confirmed` the same row goes and comes again: the test above can fail', async ({ world, open }) => {
  world.server.feed.lagMs = 300
  const tab = await open({ careless: true })
  await tab.add('milk')

  await expect.poll(() => tab.changes()).toEqual(['insert milk', 'delete milk', 'insert milk'])
  expect(await rendersWithout('milk', tab)).not.toEqual([])
})

test('a row that is renamed twice never goes back to an older text, in either tab', async ({ world, open }) => {
  world.server.feed.change('1', { text: 'bread' })
  world.server.feed.lagMs = 200
  const leader = await open()
  const follower = await open()
  await follower.shows('bread')

  await follower.rename('bread', 'rye bread')
  await follower.rename('rye bread', 'rolls')
  await world.server.hasTaken('rye bread', 'rolls')
  for (const tab of [leader, follower]) {
    await expect(tab.page.getByRole('status')).toContainText('0 pending')
    await tab.shows('rolls')
    const texts = (await tab.renders()).flat()
    expect(texts.lastIndexOf('bread'), 'the last render of "bread"').toBeLessThan(texts.indexOf('rye bread'))
    expect(texts.lastIndexOf('rye bread'), 'the last render of "rye bread"').toBeLessThan(texts.indexOf('rolls'))
    expect((await tab.changes()).filter((change) => change.startsWith('delete'))).toEqual([])
  }
})

test('a reload offline: every render has what is pending, from the first', async ({ world, open }) => {
  world.server.feed.change('1', { text: 'bread' })
  const leader = await open()
  const follower = await open()
  await follower.shows('bread')
  await world.goOffline()
  await follower.add('milk')
  await leader.rename('bread', 'rye bread')
  for (const tab of [leader, follower]) await tab.shows('milk', 'rye bread')

  for (const tab of [follower, leader]) {
    await tab.reload()
    await expect(tab.page.getByRole('status')).toContainText('2 pending')
    const renders = await tab.renders()
    expect(renders.length).toBeGreaterThan(0)
    for (const texts of renders) expect(texts).toEqual(['milk', 'rye bread'])
  }
  expect(world.server.arrivals).toEqual([])

  await world.goOnline()
  await expect.poll(() => world.server.took.toSorted(), { timeout: 20_000 }).toEqual(['milk', 'rye bread'])
  for (const tab of [leader, follower]) {
    await expect(tab.page.getByRole('status')).toContainText('0 pending')
    await tab.shows('milk', 'rye bread')
    for (const texts of await tab.renders()) expect(texts).toEqual(['milk', 'rye bread'])
  }
})

test('while a write is pending, what others do shows: another field of its row, and another row', async ({ world, open }) => {
  world.server.feed.change('1', { text: 'bread' })
  world.server.meets('rye bread', { kind: 'unavailable', retryAfter: '3' })
  const leader = await open()
  const follower = await open()
  await follower.rename('bread', 'rye bread')
  await world.server.hasSeen('rye bread')

  world.server.feed.change('1', { note: 'two, please' })
  world.server.feed.change('2', { text: 'tea' })
  for (const tab of [leader, follower]) {
    await tab.shows('rye bread', 'tea')
    await expect(tab.todo('rye bread')).toContainText('two, please')
    await expect(tab.page.getByRole('status')).toContainText('1 pending')
  }
  expect(world.server.took).toEqual([])

  await world.server.hasTaken('rye bread')
  for (const tab of [leader, follower]) {
    await expect(tab.page.getByRole('status')).toContainText('0 pending')
    await tab.shows('rye bread', 'tea')
    await expect(tab.todo('rye bread')).toContainText('two, please')
  }
})

test('the leader is closed in mid-request: the other tab shows the row throughout, and sends it', async ({ world, open }) => {
  world.server.meets('milk', { kind: 'hold' })
  const leader = await open()
  await leader.says('ready, online, leading, 0 pending')
  const follower = await open()
  await leader.add('milk')
  await world.server.hasSeen('milk')
  await follower.shows('milk')

  await leader.page.close()

  await follower.says('ready, online, leading, 0 pending')
  await world.server.hasTaken('milk')
  await follower.shows('milk')
  expect(await rendersWithout('milk', follower)).toEqual([])
  const keys = new Set(world.server.arrivals.map(({ idempotencyKey }) => idempotencyKey))
  expect(keys.size).toBe(1)
})
