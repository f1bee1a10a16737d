// The requirements' example, installed from the packed package, under each bundler, in Chromium: online, offline and
// across a reload; and an app on `/react` and `/tanstack-db`.
import { cp } from 'node:fs/promises'
import { join } from 'node:path'

import type { BrowserContext, Page } from '@playwright/test'

import { expect, test } from './fixtures.ts'
import { project } from './projects.ts'
import { run, serve, type Served } from '../support/processes.ts'
import type { Server } from '../support/server.ts'

/** Loads the page, which adds a to-do each time. */
async function load(page: Page, url: string): Promise<void> {
  await page.goto(url)
  await page.waitForFunction(() => document.title === 'stored')
}

/** The example, as its reader would try it. */
async function tryExample(context: BrowserContext, server: Server, url: string): Promise<void> {
  const page = await context.newPage()
  await load(page, url)
  await server.hasTaken('Buy milk')

  await context.setOffline(true)
  await load(page, url)
  await load(page, url)
  expect(server.took).toEqual(['Buy milk'])

  await context.setOffline(false)
  await server.hasTaken('Buy milk', 'Buy milk', 'Buy milk')
  const keys = server.effects.map(({ idempotencyKey }) => idempotencyKey)
  expect(new Set(keys).size).toBe(3)
}

test.describe('Vite and TypeScript', () => {
  const folder = project('vite')

  test('the example compiles in strict mode', () => run(folder, 'tsc'))

  test('in development', async ({ context, server, site }) => {
    const vite = await site(() => serve(folder, 'vite', '--host', '127.0.0.1', '--port', 'PORT', '--strictPort'))
    await tryExample(context, server, vite.url)
  })

  test('built', async ({ context, server, site }) => {
    await run(folder, 'vite', 'build')
    const vite = await site(() =>
      serve(folder, 'vite', 'preview', '--host', '127.0.0.1', '--port', 'PORT', '--strictPort'),
    )
    await tryExample(context, server, vite.url)
  })
})

test.describe('Vite, React and TanStack DB', () => {
  const folder = project('vite-react')

  test('the app compiles in strict mode', () => run(folder, 'tsc'))

  test('built: a row that is added offline is there at once, over a reload, and when it is sent', async ({ context, server, site }) => {
    await run(folder, 'vite', 'build')
    const vite = await site(() =>
      serve(folder, 'vite', 'preview', '--host', '127.0.0.1', '--port', 'PORT', '--strictPort'),
    )
    const page = await context.newPage()
    const problems: string[] = []
    page.on('pageerror', (error) => problems.push(String(error)))
    await page.goto(vite.url)
    const rows = page.getByRole('listitem')
    const state = page.getByRole('status')
    await expect(state).toHaveText('0 pending')

    await context.setOffline(true)
    await page.getByRole('button', { name: 'Buy milk' }).click()
    await expect(rows).toHaveText(['Buy milk, pending'])
    await page.reload()
    await expect(rows).toHaveText(['Buy milk, pending'])
    await expect(state).toHaveText('1 pending')
    expect(server.took).toEqual([])

    await context.setOffline(false)
    await server.hasTaken('Buy milk')
    await expect(rows).toHaveText(['Buy milk'])
    await expect(state).toHaveText('0 pending')
    await page.reload()
    await expect(rows).toHaveText(['Buy milk'])
    expect(problems).toEqual([])
  })
})

test('webpack', async ({ context, server, site }) => {
  const folder = project('webpack')
  await run(folder, 'node', 'build.mjs')
  await cp(join(folder, 'index.html'), join(folder, 'dist/index.html'))
  const files = await site(() => serveFiles(folder))
  await tryExample(context, server, files.url)
})

test('esbuild', async ({ context, server, site }) => {
  const folder = project('esbuild')
  await run(folder, 'esbuild', 'src/example.js', '--bundle', '--format=esm', '--minify', '--outfile=dist/main.js')
  await cp(join(folder, 'index.html'), join(folder, 'dist/index.html'))
  const files = await site(() => serveFiles(folder))
  await tryExample(context, server, files.url)
})

/** Serves what a bundler wrote; esbuild has a server for files. */
function serveFiles(folder: string): Promise<Served> {
  return serve(folder, 'esbuild', '--servedir=dist', '--serve=127.0.0.1:PORT')
}
