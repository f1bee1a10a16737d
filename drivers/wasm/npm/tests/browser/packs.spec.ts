// What is written at once shares values of the database, and nobody sees anything of that.
import { expect, test } from '../support/fixtures.ts'
import type { Tab } from '../support/tab.ts'

const texts = (name: string, count: number) => Array.from({ length: count }, (_, index) => `${name} ${index + 1}`)

/** How many rows the values of the database hold, each. */
function packs(tab: Tab): Promise<number[]> {
  return tab.page.evaluate(async () => {
    const db = await new Promise<IDBDatabase>((opened) => {
      const request = indexedDB.open('outbox:outbox')
      request.onsuccess = () => opened(request.result)
    })
    const values = await new Promise<{ records: string[] }[]>((read) => {
      const request = db.transaction('items').objectStore('items').getAll()
      request.onsuccess = () => read(request.result)
    })
    db.close()
    return values.map(({ records }) => records.length)
  })
}

test('256 at once are few values, survive a reload, and are sent in their order', async ({ world }) => {
  await world.goOffline()
  const tab = await world.tab({ plain: true })
  await tab.leads()
  await tab.addAll(...texts('item', 256))
  expect((await packs(tab)).length).toBeLessThan(10)

  await tab.reload()
  await tab.hasPending(...texts('item', 256))
  await world.goOnline()
  await expect.poll(() => world.server.took, { timeout: 60_000 }).toEqual(texts('item', 256))
  await tab.hasPending()
  await expect.poll(() => packs(tab)).toEqual([])
})

test('one of many that were written at once is removed, and no other', async ({ world }) => {
  await world.goOffline()
  const tab = await world.tab({ plain: true })
  await tab.leads()
  const ids = await tab.addAll(...texts('item', 9))
  expect(await tab.remove(ids[4]!)).toBe(true)
  const left = texts('item', 9).filter((text) => text !== 'item 5')
  await tab.hasPending(...left)

  await tab.reload()
  await tab.hasPending(...left)
  await world.goOnline()
  await world.server.hasTaken(...left)
  await tab.hasPending()
})

test('two tabs write many at once while one of them sends: each arrives once, and in its tab\'s order', async ({ world }) => {
  const [one, two] = [await world.tab({ plain: true }), await world.tab({ plain: true })]
  await Promise.all([0, 1, 2].flatMap((round) => [one.addAll(...texts(`a${round}`, 20)), two.addAll(...texts(`b${round}`, 20))]))

  await expect.poll(() => world.server.took.length, { timeout: 60_000 }).toBe(120)
  for (const name of ['a0', 'a1', 'a2', 'b0', 'b1', 'b2']) {
    expect(world.server.took.filter((text) => text.startsWith(name))).toEqual(texts(name, 20))
  }
  await one.hasPending()
  await two.hasPending()
  await expect.poll(() => packs(one)).toEqual([])
})
