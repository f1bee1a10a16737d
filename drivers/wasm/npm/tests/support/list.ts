// The list, an app on TanStack DB and React over the built package, in as many tabs as a test opens.
import { fileURLToPath } from 'node:url'

import { build } from 'esbuild'

import { expect, test as base } from './fixtures.ts'
import { ListTab } from './list-tab.ts'

const tests = fileURLToPath(new URL('..', import.meta.url))

/** One file; the package as it was built, and one copy of React. */
async function bundle(): Promise<string> {
  const { outputFiles } = await build({
    absWorkingDir: tests,
    entryPoints: ['page/list/app.tsx'],
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2022',
    jsx: 'automatic',
    define: { 'process.env.NODE_ENV': '"development"' },
    alias: {
      'outbox-offline': '../dist/index.js',
      'outbox-offline/react': '../dist/react.js',
      'outbox-offline/tanstack-db': '../dist/tanstack-db.js',
      react: './node_modules/react',
    },
    logLevel: 'error',
  })
  return outputFiles[0]?.text ?? ''
}

interface Given {
  /** Opens the list in a tab. */
  open(how?: { careless?: true }): Promise<ListTab>
}

export const test = base.extend<Given, { app: string }>({
  app: [async ({}, use) => use(await bundle()), { scope: 'worker' }],
  open: async ({ world, app }, use) => {
    await world.context.route('**/list/app.js', (route) => route.fulfill({ body: app, contentType: 'text/javascript' }))
    const tabs: ListTab[] = []
    await use(async (how) => {
      const tab = await ListTab.open(world.context, world.server, how)
      tabs.push(tab)
      return tab
    })
    for (const { errors } of tabs) expect(errors, 'errors of the page').toEqual([])
  },
})

export { expect }
