// A technician's work: every write shows at once and reaches the office, by mouse, by finger and by keyboard.
import { expect, test } from '../support/fixtures.ts'

test('a visit is made, moved, noted and deleted', async ({ board, office }) => {
  const { page } = board
  await page.getByRole('button', { name: 'New visit' }).click()
  await page.getByLabel('Customer').fill('Quarry Cement')
  await page.getByLabel('Task').fill('Conveyor stops')
  await page.getByLabel('Assigned to').selectOption('Tomás')
  await page.getByRole('button', { name: 'Add visit' }).click()
  await expect(board.column('Planned').getByRole('article', { name: 'Quarry Cement' })).toBeVisible()
  await office.has('Quarry Cement', { status: 'planned', assignee: 'Tomás' })

  await board.move('Quarry Cement', 'On site')
  await board.note('Quarry Cement', 'Fuse F4 replaced')
  await office.has('Quarry Cement', { status: 'onSite', note: 'Fuse F4 replaced' })

  await page.getByRole('button', { name: 'Delete Quarry Cement' }).click()
  await expect(board.card('Quarry Cement')).toHaveCount(0)
  await expect.poll(() => office.customers()).not.toContain('Quarry Cement')
  await board.isDone()
})

test('a visit is dragged into another column', async ({ board, office }) => {
  test.skip(board.isPhone, 'on a phone the list of columns is used')
  await board.card('Kite & Anchor Hotel').dragTo(board.column('Done'))
  await office.has('Kite & Anchor Hotel', { status: 'done' })
})

test('the keyboard does it all', async ({ board, office }) => {
  const { page } = board
  const hotel = board.card('Kite & Anchor Hotel')
  await hotel.focus()
  await page.keyboard.press('ArrowDown')
  await expect(board.card('Novák Print')).toBeFocused()
  await page.keyboard.press('ArrowUp')
  await page.keyboard.press('Shift+ArrowRight')
  await expect(board.column('On the way').getByRole('article', { name: 'Kite & Anchor Hotel' })).toBeFocused()
  await office.has('Kite & Anchor Hotel', { status: 'onTheWay' })

  await page.keyboard.press('Enter')
  await expect(page.getByRole('textbox', { name: 'Note' })).toBeFocused()
  await page.keyboard.type('Key at the desk')
  await page.keyboard.press('Tab')
  await page.keyboard.press('Tab')
  await page.keyboard.press('Enter')
  await expect(page.getByRole('dialog')).toBeHidden()
  await expect(hotel).toBeFocused()
  await office.has('Kite & Anchor Hotel', { note: 'Key at the desk' })

  await page.keyboard.press('Enter')
  await page.keyboard.press('Escape')
  await expect(hotel).toBeFocused()
  // What has the focus can be seen.
  await page.keyboard.press('Tab')
  await page.keyboard.press('Shift+Tab')
  expect(await hotel.evaluate((card) => getComputedStyle(card).outlineStyle)).toBe('solid')

  await page.getByRole('button', { name: 'Delete Kite & Anchor Hotel' }).press('Enter')
  await expect(hotel).toHaveCount(0)
  await expect(board.card('Café Mirador')).toBeFocused()
})

test('what somebody else does shows by itself', async ({ board, office }) => {
  const headers = { 'Idempotency-Key': 'from-elsewhere', 'content-type': 'application/json' }
  const body = JSON.stringify({ note: 'Spare key is with the porter' })
  await fetch(`${office.url}/visits/v-105`, { method: 'PATCH', headers, body })
  await expect(board.card('Kite & Anchor Hotel')).toContainText('Spare key is with the porter')
})
