// What is stored is damaged, locked, deleted or from another time: said by name, and nothing else is lost (R4, R23, R24).
import { expect } from '@playwright/test'

import type { World } from '../support/fixtures.ts'
import type { Tab } from '../support/tab.ts'
import { test } from './fixtures.ts'

const how = { plain: true, record: true }

/**
 * Changes what is stored of a text by hand: its record; or the pack of it as a whole, which then lacks its ids. The page
 * that wrote it is left first: it would write it again, and does when its end takes the browser's offline state from it.
 */
async function tamper(tab: Tab, text: string, change: 'garbage' | 'newer' | 'pack'): Promise<void> {
  await tab.load({ ...how, idle: true })
  await tab.page.evaluate(async ([text, change]) => {
    const db = await new Promise<IDBDatabase>((opened) => {
      const request = indexedDB.open('outbox:outbox')
      request.onsuccess = () => opened(request.result)
    })
    await new Promise<void>((done) => {
      const tx = db.transaction('items', 'readwrite')
      const items = tx.objectStore('items')
      const all = items.getAll()
      all.onsuccess = () => {
        const holds = (record: string) => record.includes(JSON.stringify(text))
        const pack = all.result.find(({ records }) => records.some(holds))
        const newer = (record: string) => JSON.stringify({ ...JSON.parse(record), version: 99, shape: ['of', 'tomorrow'] })
        const changed = (record: string) => (change === 'garbage' ? record.slice(0, 20) : newer(record))
        const records = pack.records.map((record: string) => (holds(record) ? changed(record) : record))
        items.put(change === 'pack' ? { ...pack, ids: [] } : { ...pack, records })
      }
      tx.oncomplete = () => done()
    })
    db.close()
  }, [text, change] as const)
}

async function readAnew(world: World, tab: Tab): Promise<void> {
  await tab.load(how)
  await tab.ready()
  await world.goOnline()
}

async function records(tab: Tab): Promise<string[]> {
  return tab.page.evaluate(async () => {
    const db = await new Promise<IDBDatabase>((opened) => {
      const request = indexedDB.open('outbox:outbox')
      request.onsuccess = () => opened(request.result)
    })
    const packs = await new Promise<{ records: string[] }[]>((read) => {
      const request = db.transaction('items').objectStore('items').getAll()
      request.onsuccess = () => read(request.result)
    })
    db.close()
    return packs.flatMap(({ records }) => records)
  })
}

test('a record that is damaged is kept as it is, and holds nothing up', async ({ world }) => {
  await world.goOffline()
  const tab = await world.tab(how)
  await tab.add('milk', { key: 'list' })
  await tab.add('bread', { key: 'list' })
  await tamper(tab, 'milk', 'garbage')

  await readAnew(world, tab)
  await world.server.hasTaken('bread')
  expect(await records(tab)).toEqual([expect.stringMatching(/^.{20}$/)])
})

test('a pack of records that is damaged as a whole is kept as it is, and holds nothing up', async ({ world }) => {
  await world.goOffline()
  const tab = await world.tab(how)
  await tab.leads()
  await tab.addAll('milk', 'eggs')
  await tab.add('bread')
  await tamper(tab, 'milk', 'pack')

  await readAnew(world, tab)
  await world.server.hasTaken('bread')
  expect(await records(tab)).toEqual([expect.stringContaining('milk'), expect.stringContaining('eggs')])
})

test('a record of a newer version is kept as it is, and holds its lane', async ({ world }) => {
  await world.goOffline()
  const tab = await world.tab(how)
  await tab.add('milk', { key: 'list' })
  await tab.add('bread', { key: 'list' })
  await tab.add('letter', { key: 'post' })
  await tamper(tab, 'milk', 'newer')

  await readAnew(world, tab)
  await world.server.hasTaken('letter')
  await tab.page.waitForTimeout(500)
  expect(world.server.took).toEqual(['letter'])
  const [milk] = await records(tab)
  expect(JSON.parse(milk!)).toMatchObject({ version: 99, shape: ['of', 'tomorrow'], args: { text: 'milk' } })
})

test('a database that is deleted while it is open is made anew, and what is written then is sent', async ({ world }) => {
  const tab = await world.tab(how)
  await tab.leads()
  await tab.page.evaluate(() => new Promise<void>((deleted) => {
    indexedDB.deleteDatabase('outbox:outbox').onsuccess = () => deleted()
  }))

  await tab.add('milk', { key: 'list' })
  await world.server.hasTaken('milk')
})

test('a newer build has upgraded the database: a tab of this build is told by name', async ({ world }) => {
  const newer = await world.tab({ ...how, idle: true })
  await newer.page.evaluate(() => new Promise<void>((opened) => {
    const request = indexedDB.open('outbox:outbox', 2)
    request.onupgradeneeded = () => request.result.createObjectStore('of-tomorrow')
    request.onsuccess = () => opened()
  }))

  const tab = await world.tab(how)
  const refusal = await tab.cannotAdd('milk')
  expect(refusal).toMatchObject({ error: 'StorageError', code: 'unavailable', message: expect.stringContaining('newer build') })
})

test('an old tab keeps an older database open and lets nobody upgrade it: said by name, until that tab is closed', async ({ world }) => {
  const old = await world.tab({ ...how, idle: true })
  await old.page.evaluate(() => new Promise<void>((opened) => {
    // It has other stores, and does not listen to `versionchange`.
    const request = indexedDB.open('outbox:outbox', 1)
    request.onupgradeneeded = () => request.result.createObjectStore('of-yesterday')
    request.onsuccess = () => {
      Object.assign(globalThis, { kept: request.result })
      opened()
    }
  }))
  // The new build is of a later version.
  await world.context.addInitScript(() => {
    const { open } = IDBFactory.prototype
    IDBFactory.prototype.open = function (name, version) {
      return version === undefined ? open.call(this, name) : open.call(this, name, version + 1)
    }
  })

  const tab = await world.tab(how)
  const refusal = await tab.cannotAdd('milk')
  expect(refusal).toMatchObject({ error: 'StorageError', code: 'unavailable', message: expect.stringContaining('another tab') })
  expect(await tab.pending()).toEqual([])

  await old.close()
  await expect.poll(() => tab.add('bread', { key: 'list' }).then(() => 'stored', String), { timeout: 20_000 }).toBe('stored')
  await world.server.hasTaken('bread')
  await tab.leads()
})
