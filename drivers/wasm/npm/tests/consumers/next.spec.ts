// Next.js renders client components on its server as well: import and start do nothing there.
import { expect, test } from './fixtures.ts'
import { project } from './projects.ts'
import { run, serve } from '../support/processes.ts'

const folder = project('next')

test.describe('Next.js', () => {
  test.describe.configure({ mode: 'serial' })

  test('the app builds', async () => {
    test.setTimeout(180_000)
    await run(folder, 'next', 'build')
  })

  // By the functions alone, and by `/react` and `/tanstack-db`.
  for (const path of ['/', '/hooks']) {
    test(`${path}: the server renders without an outbox, and the page takes over`, async ({ context, server, site }) => {
      const next = await site(() => serve(folder, 'next', 'start', '--hostname', '127.0.0.1', '--port', 'PORT'))

      const rendered = await (await fetch(next.url + path)).text()
      expect(rendered).toContain('<p id="status">inert</p>')

      const page = await context.newPage()
      const problems: string[] = []
      page.on('pageerror', (error) => problems.push(String(error)))
      page.on('console', (message) => message.type() === 'error' && problems.push(message.text()))
      await page.goto(next.url + path)
      await expect(page.locator('#status')).toHaveText('ready')
      server.meets('Buy milk', { kind: 'hold' })
      await page.getByRole('button', { name: 'Buy milk' }).click()
      await server.hasSeen('Buy milk')
      if (path === '/hooks') {
        await expect(page.locator('#item')).toHaveText('sending')
        await expect(page.getByRole('listitem')).toHaveText(['Buy milk'])
      }
      server.release()
      await server.hasTaken('Buy milk')
      await expect(page.locator('#pending')).toHaveText('0')
      if (path === '/hooks') {
        await expect(page.locator('#item')).toHaveText('unknown')
        await expect(page.getByRole('listitem')).toHaveText(['Buy milk'])
      }
      expect(problems).toEqual([])
    })
  }
})
