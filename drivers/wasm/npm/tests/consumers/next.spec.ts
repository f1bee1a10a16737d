// Next.js renders client components on its server as well: import and start do nothing there.
import { expect, test } from './fixtures.ts'
import { project } from './projects.ts'
import { run, serve } from '../support/processes.ts'

test('the server renders without an outbox, and the page takes over', async ({ context, server, site }) => {
  test.setTimeout(180_000)
  const folder = project('next')
  await run(folder, 'next', 'build')
  const next = await site(() => serve(folder, 'next', 'start', '--hostname', '127.0.0.1', '--port', 'PORT'))

  const rendered = await (await fetch(next.url)).text()
  expect(rendered).toContain('<p id="status">inert</p>')

  const page = await context.newPage()
  const problems: string[] = []
  page.on('pageerror', (error) => problems.push(String(error)))
  await page.goto(next.url)
  await expect(page.locator('#status')).toHaveText('ready')
  await page.getByText('Buy milk').click()
  await server.hasTaken('Buy milk')
  await expect(page.locator('#pending')).toHaveText('0')
  expect(problems).toEqual([])
})
