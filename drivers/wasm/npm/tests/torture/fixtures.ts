// What the torture's tests are given beside the suite's world: recordings that a test which fails leaves behind; and
// a browser over raw CDP, started with flags of its own.
import { test as base } from '../support/fixtures.ts'
import { Server } from '../support/server.ts'
import { RawBrowser } from './raw.ts'
import { Recordings } from './recordings.ts'

/** Tabs of a browser that Playwright drives. */
export const test = base.extend<{ recordings: Recordings }>({
  recordings: [
    async ({ world }, use, info) => {
      const recordings = new Recordings(info)
      await use(recordings)
      await recordings.take('at the end', world.context.pages())
      await recordings.finish()
    },
    { auto: true },
  ],
})

/** Tabs over raw CDP. */
export const rawTest = base.extend<{ flags: readonly string[]; server: Server; browser2: RawBrowser }>({
  flags: [[], { option: true }],
  server: async ({}, use) => {
    const server = await Server.start()
    await use(server)
    server.release()
    await server.stop()
  },
  browser2: async ({ flags }, use, info) => {
    const browser = await RawBrowser.start(flags)
    const recordings = new Recordings(info)
    await use(browser)
    await recordings.take('at the end', browser.tabs)
    await browser.end()
    await recordings.finish()
  },
})

/** The page under test; its recorder is on. */
export const url = (server: Server, query = '') => `${server.url}/?plain=true&record=true${query}`
