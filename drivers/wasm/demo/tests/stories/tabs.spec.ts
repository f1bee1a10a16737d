// Tabs that come, go and crash: one sends, all show the same, and nothing is sent twice.
import { expect, test } from '../support/fixtures.ts'
import { Board } from '../support/board.ts'

test('a tab that crashes in mid-flight has lost nothing', async ({ board, office }) => {
  const { page } = board
  await board.trouble('Slow office', true)
  await board.move('Café Mirador', 'Done')
  await expect(board.state('Café Mirador')).toHaveText('Sending')
  await board.press('Crash this tab')
  await expect(page.getByRole('heading', { name: 'This tab crashed' })).toBeVisible()
  await page.getByRole('link', { name: 'Open the board again' }).click()
  await expect(board.column('Done').getByRole('article', { name: 'Café Mirador' })).toBeVisible()
  await board.trouble('Slow office', false)
  await board.isDone()
  await office.has('Café Mirador', { status: 'done' })
  await board.show('Trouble')
  await expect.poll(() => board.count('took effect')).toBe(1)
})

test('another tab shows the same, and takes over when the first dies', async ({ board, office, context }) => {
  const opened = context.waitForEvent('page')
  await board.press('Open another tab')
  const other = new Board(await opened, office)
  await other.isThere()
  await board.trouble('Offline', true)
  await board.show('Visits')
  await other.move('Linden School', 'Done')
  await expect(board.column('Done').getByRole('article', { name: 'Linden School' })).toBeVisible()
  await expect(other.summary).toHaveText('Offline · 1 change kept')
  await expect(other.state('Linden School')).toHaveText('Stored. Goes out when there is a network')
  await expect(other.page.locator('.role')).toHaveText('Another tab sends')

  // The renderer dies, as for want of memory: no handler of the page runs.
  const crashed = board.page.waitForEvent('crash')
  const session = await context.newCDPSession(board.page)
  session.send('Page.crash').catch(() => {})
  await crashed
  await expect(other.page.locator('.role')).toHaveText('This tab sends')
  await other.trouble('Offline', false)
  await office.has('Linden School', { status: 'done' })
  await other.isDone()
})
