// Firefox refuses to store: for want of room, or because the user has said so. Both are said by name, and a full disk
// drains (R1, R4, R5).
import { expect } from '@playwright/test'

import { test } from './fixtures.ts'

test.describe('a quota of 5 MB', () => {
  test.use({ preferences: { 'dom.quotaManager.temporaryStorage.fixedLimit': 5_000 } })

  test('is used up: said by name; what is stored is sent, and there is room again', async ({ firefox, server }) => {
    server.isInMood(() => ({ kind: 'unavailable', retryAfter: '1' }))
    const tab = await firefox.tab(server, '&record=false')
    await tab.leads()
    const { stored, refusal } = await tab.fill(100_000)
    expect(refusal).toMatchObject({ error: 'StorageError', code: 'full' })
    expect(stored.length).toBeGreaterThan(3)
    expect(await tab.pending()).toEqual(stored)

    server.isInMood(undefined)
    await tab.drained(120_000)
    expect(server.took).toEqual(stored)
    await tab.add('a 1 0 0')
    await tab.drained(20_000)
  })
})

test.describe('cookies and site data are blocked', () => {
  test.use({ preferences: { 'network.cookie.cookieBehavior': 2 } })

  test('nothing may be stored: said by name', async ({ firefox, server }) => {
    const tab = await firefox.tab(server)
    const refusal = await tab.cannotAdd('a 1 0 0')
    expect(refusal).toMatchObject({ error: 'StorageError', code: 'unavailable', message: expect.stringContaining('may not store') })
    expect(tab.errors).toEqual([])
    expect(server.arrivals).toEqual([])
  })

  test('an app that has chosen memory goes on', async ({ firefox, server }) => {
    const tab = await firefox.tab(server, '&storage=memory')
    await tab.add('a 1 0 0')
    await server.hasTaken('a 1 0 0')
    expect(tab.errors).toEqual([])
  })
})

test.describe('a private window', () => {
  test.use({ preferences: { 'browser.privatebrowsing.autostart': true } })

  test('stores as long as it is open', async ({ firefox, server }) => {
    server.isInMood(() => ({ kind: 'drop the request' }))
    const tab = await firefox.tab(server)
    await tab.add('a 1 0 0')
    await tab.load()
    await tab.ready()
    expect(await tab.pending()).toEqual(['a 1 0 0'])

    server.isInMood(undefined)
    await server.hasTaken('a 1 0 0')
  })
})
