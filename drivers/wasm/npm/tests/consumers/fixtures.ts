// What each test of a project is given: the to-do server, and a site that is stopped at the end.
import { test as base } from '@playwright/test'

import type { Served } from '../support/processes.ts'
import { Server } from '../support/server.ts'

interface Fixtures {
  server: Server
  site: (start: () => Promise<Served>) => Promise<Served>
}

export const test = base.extend<Fixtures>({
  server: async ({ context }, use) => {
    const server = await Server.start()
    // To-dos go through the network of the page, which may be off; the site does not, as if a service worker kept it.
    await context.route(/./, async (route) => {
      const { pathname } = new URL(route.request().url())
      if (pathname === '/todos') await route.continue({ url: `${server.url}/todos` })
      else await route.fulfill({ response: await route.fetch() })
    })
    await use(server)
    await context.close()
    await server.stop()
  },
  // A site is started by the test that needs it.
  site: async ({}, use) => {
    const sites: Served[] = []
    await use(async (start) => {
      const site = await start()
      sites.push(site)
      return site
    })
    for (const site of sites) site.stop()
  },
})

export { expect } from '@playwright/test'
