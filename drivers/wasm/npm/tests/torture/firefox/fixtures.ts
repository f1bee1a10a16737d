// What a test in Firefox is given: a server, and a Firefox with preferences of its own.
import { test as base } from '@playwright/test'

import { Server } from '../../support/server.ts'
import { Recordings } from '../recordings.ts'
import { Firefox, type Preferences } from './firefox.ts'

export const test = base.extend<{ server: Server; preferences: Preferences; firefox: Firefox; recordings: Recordings }>({
  preferences: [{}, { option: true }],
  server: async ({}, use) => {
    const server = await Server.start()
    await use(server)
    server.release()
    await server.stop()
  },
  firefox: async ({ preferences }, use) => {
    const firefox = await Firefox.make(preferences)
    await firefox.start()
    await use(firefox)
    await firefox.end()
  },
  recordings: [
    async ({ firefox }, use, info) => {
      const recordings = new Recordings(info)
      await use(recordings)
      await recordings.take('at the end', await firefox.pages())
      await recordings.finish()
    },
    { auto: true },
  ],
})
