// The server refuses for good: the item goes, what it was stays known until somebody decides.
import { expect, test } from '../support/fixtures.ts'

test('a write that is refused for good is told to its waiter, and holds nothing up', async ({ world }) => {
  world.server.meets('a horse', { kind: 'refuse' })
  const tab = await world.tab()

  const horse = await tab.add('a horse', { key: 'list' })
  await tab.add('milk', { key: 'list' })

  expect(await tab.told(horse)).toMatchObject({ error: 'DroppedError', message: expect.stringContaining('422') })
  await world.server.hasTaken('milk')
  await tab.shows('milk')
})

test('its failure record is there after a reload, and in other tabs, until it is dismissed', async ({ world }) => {
  world.server.meets('a horse', { kind: 'refuse' })
  const tab = await world.tab()
  const horse = await tab.add('a horse')
  // A waiter is told before the record is stored (R29): a reload in between sends it again.
  await tab.hasFailed('a horse')

  await tab.reload()
  await tab.hasFailed('a horse')
  const other = await world.tab()
  await other.hasFailed('a horse')

  await other.dismissFailure(horse)
  await tab.hasFailed()
  await tab.reload()
  await tab.hasFailed()
})

test('what failed is tried again when the user asks for it', async ({ world }) => {
  world.server.meets('a horse', { kind: 'refuse' })
  const tab = await world.tab()
  const horse = await tab.add('a horse')
  await tab.hasFailed('a horse')

  await tab.retryFailure(horse)

  await world.server.hasTaken('a horse')
  await tab.hasFailed()
})
