// What a test over raw CDP is given: a server, and a browser that it starts with flags of its own.
import { test as base } from '@playwright/test'

import { Server } from '../support/server.ts'
import { RawBrowser } from './raw.ts'

export const test = base.extend<{ flags: readonly string[]; server: Server; browser2: RawBrowser }>({
  flags: [[], { option: true }],
  server: async ({}, use) => {
    const server = await Server.start()
    await use(server)
    server.release()
    await server.stop()
  },
  browser2: async ({ flags }, use) => {
    const browser = await RawBrowser.start(flags)
    await use(browser)
    await browser.end()
  },
})

/** The page under test; its recorder is on. */
export const url = (server: Server, query = '') => `${server.url}/?plain=true&record=true${query}`
