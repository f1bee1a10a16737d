// Starting and stopping: in any order, twice, and as React does it.
import { expect, test } from '../support/fixtures.ts'

test('what is written before the start is stored, and sent only after it', async ({ world }) => {
  const tab = await world.tab({ idle: true })

  await tab.add('milk')
  expect(world.server.arrivals).toEqual([])

  await tab.evaluate(() => void todos.start())
  await world.server.hasTaken('milk')
  await tab.hasPending()
})

test('what is written and never started is there after a reload', async ({ world }) => {
  const tab = await world.tab({ idle: true })
  await tab.add('milk')

  await tab.load()

  await world.server.hasTaken('milk')
})

test('start, dispose, start in one turn, as in React\'s StrictMode, loses nothing', async ({ world }) => {
  const tab = await world.tab({ idle: true })

  await tab.evaluate(() => {
    const first = todos.start()
    const added = todos.add('milk', { key: 'list' })
    void first.dispose()
    todos.start()
    return added.then(() => todos.add('bread', { key: 'list' }))
  })

  await world.server.hasTaken('milk', 'bread')
  await tab.hasPending()
  expect(world.server.arrived('milk')).toBe(1)
})

test('an outbox that is disposed of sends nothing more and leaves the lead', async ({ world }) => {
  const tab = await world.tab()
  await tab.leads()
  const other = await world.tab()

  await tab.evaluate(() => todos.outbox().dispose())

  await other.leads()
  await other.add('milk')
  await world.server.hasTaken('milk')
})
