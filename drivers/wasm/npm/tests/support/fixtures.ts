// What each test is given: a server, a browser with a profile of its own, and tabs in it.
import { test as base, type BrowserContext } from '@playwright/test'

import { Server } from './server.ts'
import { keepShell } from './shell.ts'
import { Tab, type How } from './tab.ts'

export interface World {
  readonly server: Server
  readonly context: BrowserContext
  /** Opens a tab. */
  tab(how?: How): Promise<Tab>
  goOffline(): Promise<void>
  goOnline(): Promise<void>
}

export const test = base.extend<{ world: World }>({
  // A fresh context is a fresh profile.
  world: async ({ context }, use, info) => {
    const server = await Server.start()
    await keepShell(context)
    const tabs: Tab[] = []
    await use({
      server,
      context,
      tab: async (how) => {
        const tab = await Tab.open(context, server, how)
        tabs.push(tab)
        return tab
      },
      goOffline: () => context.setOffline(true),
      goOnline: () => context.setOffline(false),
    })
    if (info.status !== info.expectedStatus) {
      const said = tabs.map((tab, index) => `tab ${index + 1}:\n${tab.console.join('\n')}`)
      said.push(`arrived: ${JSON.stringify(server.arrivals)}`, `took effect: ${JSON.stringify(server.effects)}`)
      console.log(said.join('\n'))
    }
    // A test that failed may have left a hold; a page that waits for an answer closes slowly.
    server.release()
    await context.close()
    await server.stop()
  },
})

export { expect } from '@playwright/test'
