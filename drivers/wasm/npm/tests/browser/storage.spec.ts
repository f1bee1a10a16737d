// The browser's storage is full, or refused: said at once and by type, and never at the cost of what is stored.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { chromium } from '@playwright/test'

import { args, executablePath } from '../support/chromium.ts'
import { expect, test } from '../support/fixtures.ts'
import { keepShell } from '../support/shell.ts'
import { Tab } from '../support/tab.ts'

// One by one, each has a value of the database for itself; those of one turn share them.
for (const { length, atOnce, quota } of [{ length: 20_000, atOnce: 1, quota: 300_000 }, { length: 500, atOnce: 30, quota: 84_000 }]) {
  test(`a full disk refuses a write by name, without a trace, and what is stored still goes out: ${atOnce} at once`, async ({ world }) => {
    // Quotas hold only for a profile on disk.
    const profile = await mkdtemp(join(tmpdir(), 'outbox-quota-'))
    const context = await chromium.launchPersistentContext(profile, { executablePath, args })
    try {
      await keepShell(context)
      await context.setOffline(true)
      // Before anything is stored: Chromium counts down from the space that it saw first.
      const devtools = await context.newCDPSession(context.pages()[0]!)
      await devtools.send('Storage.overrideQuotaForOrigin', { origin: world.server.url, quotaSize: quota })
      const tab = await Tab.open(context, world.server)

      const { stored, refusal } = await tab.fill(length, atOnce)
      expect(stored.length).toBeGreaterThan(Math.max(3, atOnce - 1))
      expect(refusal).toMatchObject({ error: 'StorageError', code: 'full' })
      await tab.hasPending(...stored)

      // Who leads after a reload raises the epoch, though nothing can be put.
      await tab.reload()
      await tab.hasPending(...stored)
      await context.setOffline(false)
      await world.server.hasTaken(...stored)
      await tab.hasPending()
    } finally {
      await context.close()
      await rm(profile, { recursive: true, force: true })
    }
  })
}

test('a page that may store nothing is told so: nothing is kept in memory in silence', async ({ world }) => {
  const tab = await Tab.openSandboxed(world.context, world.server)

  const refusal = await tab.cannotAdd('milk')

  expect(refusal).toMatchObject({ error: 'StorageError', code: 'unavailable' })
  await tab.hasPending()
  expect(world.server.arrivals).toEqual([])
})

test('a page that may not lock leads by leases, with a storage of its own', async ({ world }) => {
  const tab = await Tab.openSandboxed(world.context, world.server, { storage: 'own' })

  await tab.add('milk')

  await world.server.hasTaken('milk')
  expect(await tab.isLeading()).toBe(true)
})

test('a page that may store nothing can choose memory', async ({ world }) => {
  const tab = await Tab.openSandboxed(world.context, world.server, { storage: 'memory' })

  await tab.add('milk')

  await world.server.hasTaken('milk')
})
