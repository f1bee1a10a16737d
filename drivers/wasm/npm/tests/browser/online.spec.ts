// The plain case, and a network that is there but bad.
import { expect, test } from '../support/fixtures.ts'

test('a write is sent once, and its waiter is told what the server said', async ({ world }) => {
  const tab = await world.tab()

  const milk = await tab.add('milk')

  expect(await tab.told(milk)).toEqual({ status: 'committed', result: { accepted: 'milk' }, resultKnown: true })
  await tab.hasPending()
  await tab.shows('milk')
  expect(world.server.arrived('milk')).toBe(1)
})

test('a write shows at once and until the server has it', async ({ world }) => {
  world.server.meets('milk', { kind: 'hold' })
  const tab = await world.tab()

  await tab.add('milk')
  await world.server.hasSeen('milk')
  await tab.shows('milk')
  await tab.hasPending('milk')

  world.server.release()
  await tab.hasPending()
  await tab.shows('milk')
})

test('writes of one key go one after the other, others pass them', async ({ world }) => {
  world.server.meets('open the door', { kind: 'hold' })
  const tab = await world.tab()

  await tab.add('open the door', { key: 'door' })
  await tab.add('close the door', { key: 'door' })
  await tab.add('milk', { key: 'shopping' })

  await world.server.hasTaken('milk')
  expect(world.server.arrived('close the door')).toBe(0)
  world.server.release()
  await world.server.hasTaken('milk', 'open the door', 'close the door')
})

test('a request that is lost is sent again', async ({ world }) => {
  world.server.meets('milk', { kind: 'drop the request' }, 2)
  const tab = await world.tab()

  await tab.add('milk')

  await world.server.hasTaken('milk')
  await tab.hasPending()
  expect(world.server.arrived('milk')).toBe(3)
})

test('a write whose answer is lost takes effect once', async ({ world }) => {
  world.server.meets('milk', { kind: 'drop the reply' })
  const tab = await world.tab()

  const milk = await tab.add('milk')

  expect(await tab.told(milk)).toMatchObject({ status: 'committed' })
  expect(world.server.arrived('milk')).toBe(2)
  expect(world.server.took).toEqual(['milk'])
  const [first, second] = world.server.arrivals
  expect(first?.idempotencyKey).toBeTruthy()
  expect(second?.idempotencyKey).toBe(first?.idempotencyKey)
})

test('a server that asks for two seconds of patience gets them', async ({ world }) => {
  world.server.meets('milk', { kind: 'unavailable', retryAfter: '2' })
  const tab = await world.tab()

  await tab.add('milk')

  await world.server.hasTaken('milk')
  const [refused, accepted] = world.server.arrivals
  expect(accepted!.at - refused!.at).toBeGreaterThanOrEqual(2000)
})

test('so does one that asks by a date', async ({ world }) => {
  const date = new Date(Date.now() + 4000)
  world.server.meets('milk', { kind: 'unavailable', retryAfter: date.toUTCString() })
  const tab = await world.tab()

  await tab.add('milk')

  await world.server.hasTaken('milk')
  // A date has whole seconds.
  expect(world.server.arrivals[1]!.at).toBeGreaterThanOrEqual(Math.floor(date.getTime() / 1000) * 1000)
})
