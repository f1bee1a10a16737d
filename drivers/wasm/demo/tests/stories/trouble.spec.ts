// The panel makes trouble, and nothing is lost: each kind, what the board says of it, and what the office has in the end.
import { expect, test } from '../support/fixtures.ts'

test('offline: it is kept over a reload, and sent when there is a network', async ({ board, office }) => {
  await board.trouble('Offline', true)
  await board.move('Café Mirador', 'Done')
  await board.note('Riverside Pool', 'Needs K3')
  await expect(board.state('Café Mirador')).toHaveText('Stored. Goes out when there is a network')
  await expect(board.summary).toHaveText('Offline · 2 changes kept')
  await expect(board.page.getByRole('status')).toHaveText('Offline · 2 changes kept')

  await board.reload()
  await expect(board.column('Done').getByRole('article', { name: 'Café Mirador' })).toBeVisible()
  await expect(board.card('Riverside Pool')).toContainText('Needs K3')

  await board.trouble('Offline', false)
  await office.has('Café Mirador', { status: 'done' })
  await office.has('Riverside Pool', { note: 'Needs K3' })
  await board.isDone()
})

test('the office is gone: the board loads without it, and catches up', async ({ board, office }) => {
  await board.page.evaluate(() => navigator.serviceWorker.ready)
  await expect.poll(() => board.page.evaluate(() => caches.match('/').then(Boolean))).toBe(true)
  await office.die()
  await board.reload()
  await board.move('Novák Print', 'On site')
  await expect(board.state('Novák Print')).toContainText('No answer from the office. Next try')
  await office.comeBack()
  await office.has('Novák Print', { status: 'onSite' })
  await board.isDone()
})

test('a slow office: the board does not wait', async ({ board, office }) => {
  await board.trouble('Slow office', true)
  await board.move('Linden School', 'Done')
  await expect(board.state('Linden School')).toHaveText('Sending')
  await board.trouble('Slow office', false)
  await office.has('Linden School', { status: 'done' })
})

test('lost replies: what took effect does so once', async ({ board, office }) => {
  await board.trouble('Lose replies', true)
  await board.move('Linden School', 'Done')
  await office.has('Linden School', { status: 'done' })
  await expect(board.state('Linden School')).toContainText('No answer from the office')
  // Its wait is over while there is no network: then that is what holds it back.
  await board.trouble('Offline', true)
  await expect(board.state('Linden School')).toHaveText('Stored. Goes out when there is a network')
  await board.trouble('Offline', false)
  await board.trouble('Lose replies', false)
  await board.isDone()
  await board.show('Trouble')
  await expect.poll(() => board.count('took effect')).toBe(1)
  await expect.poll(() => board.count('repeats, answered as before')).toBeGreaterThan(0)
})

test('a busy office is given its time, and what waits can be taken back', async ({ board, office }) => {
  await board.trouble('Busy office', true)
  await board.move('Linden School', 'Done')
  await expect(board.state('Linden School')).toHaveText(/The office is busy: come back later\. Next try in (8|9|10)\ss/)
  await board.show('Outbox')
  await board.page.getByRole('button', { name: 'Take back Linden School: Done' }).click()
  await expect(board.pending).toHaveCount(0)
  await board.show('Visits')
  await expect(board.column('On site').getByRole('article', { name: 'Linden School' })).toBeVisible()
  await office.has('Linden School', { status: 'onSite' })
})

test('a refusal is shown, tried again, and dismissed', async ({ board, office }) => {
  const { page } = board
  await board.refuse('Café Mirador')
  await board.tryToMove('Café Mirador', 'Done')
  const refused = board.card('Café Mirador').locator('.refused')
  await expect(refused).toContainText('The office refuses this visit')
  await expect(board.column('On the way').getByRole('article', { name: 'Café Mirador' })).toBeVisible()
  await expect(board.summary).toHaveText('1 refused')

  await board.show('Outbox')
  const failures = page.getByRole('list', { name: 'Refused by the office' }).getByRole('listitem')
  const first = await failures.elementHandle()
  await failures.getByRole('button', { name: 'Try again' }).click()
  await first?.waitForElementState('hidden') // tried again, it is another item
  await expect(failures).toHaveCount(1)
  await board.refuse('None')
  await board.show('Outbox')
  await expect(board.pending).toHaveCount(0)
  await failures.getByRole('button', { name: 'Try again' }).click()
  await office.has('Café Mirador', { status: 'done' })

  await board.refuse('Linden School')
  await board.tryToMove('Linden School', 'Planned')
  await board.card('Linden School').getByRole('button', { name: 'Dismiss' }).click()
  await board.isDone()
  await office.has('Linden School', { status: 'onSite' })
})

test('an expired login pauses everything, a new one resumes', async ({ board, office }) => {
  const { page } = board
  await board.press('Expire the login')
  await board.move('Café Mirador', 'Done')
  await expect(page.getByRole('alert')).toContainText('Your login has expired')
  await board.move('Linden School', 'Done')
  await expect(board.state('Linden School')).toHaveText('Stored. Goes out after you log in')
  await board.reload()
  await page.getByRole('button', { name: 'Log in' }).click()
  await expect(page.getByRole('alert')).toHaveCount(0)
  await office.has('Café Mirador', { status: 'done' })
  await office.has('Linden School', { status: 'done' })
  await board.isDone()
})
