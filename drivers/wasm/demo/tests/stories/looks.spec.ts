// How it looks and how it reads: pictures in both themes and sizes, the timeline, the recording, and what axe finds.
import { readFile } from 'node:fs/promises'

import axe from 'axe-core'

import type { Board, Part } from '../support/board.ts'
import { expect, test } from '../support/fixtures.ts'

const PARTS: readonly Part[] = ['Visits', 'Outbox', 'Trouble', 'Timeline']
const FOLDER = '../../../../../target/demo-looks'

/** A bit of everything: sent, waiting, failing, refused. */
async function makeAMess(board: Board): Promise<void> {
  await board.move('Riverside Pool', 'On the way')
  await board.isDone()
  await board.refuse('Novák Print')
  await board.tryToMove('Novák Print', 'On site')
  await expect(board.card('Novák Print').locator('.refused')).toBeVisible()
  await board.trouble('Busy office', true)
  await board.move('Café Mirador', 'On site')
  await expect(board.state('Café Mirador')).toContainText('The office is busy')
  await board.trouble('Offline', true)
  await board.note('Linden School', 'Burner cleaned, flue measured: 4.1 % O₂.')
}

/** What axe finds: names, roles, contrasts. */
async function readsWell({ page }: Board): Promise<void> {
  await page.evaluate(axe.source)
  const found = await page.evaluate(() => (globalThis as unknown as { axe: typeof axe }).axe.run())
  const told = found.violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html} ${node.failureSummary}`))
  expect(told, 'what axe finds').toEqual([])
}

for (const theme of ['light', 'dark'] as const) {
  test(`it is fit to be seen and read in ${theme} colours`, async ({ board }, info) => {
    const { page } = board
    await page.emulateMedia({ colorScheme: theme })
    await makeAMess(board)
    for (const part of board.isPhone ? PARTS : PARTS.slice(0, 1)) {
      await board.show(part)
      await page.mouse.move(0, 0)
      const name = `${info.project.name.split(',')[0]}-${theme}-${part.toLowerCase()}.png`
      await page.screenshot({ path: `${import.meta.dirname}/${FOLDER}/${name}`, animations: 'disabled' })
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
      expect(overflow, 'nothing is cut off at the side').toBeLessThanOrEqual(0)
      await readsWell(board)
    }
  })
}

test('the theme is the system\'s until one is chosen, which is kept', async ({ board }) => {
  const { page } = board
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor)
  const html = page.locator('html')
  await page.emulateMedia({ colorScheme: 'dark' })
  await expect(html).toHaveAttribute('data-theme', 'dark')
  const dark = await background()
  await page.emulateMedia({ colorScheme: 'light' })
  await expect(html).toHaveAttribute('data-theme', 'light')
  expect(await background()).not.toBe(dark)
  await page.getByRole('button', { name: /colours$/ }).click()
  expect(await background()).toBe(dark)
  await board.reload()
  expect(await background()).toBe(dark)
})

test('the timeline shows what happens, can be held, and the recording is downloaded', async ({ board }) => {
  const { page } = board
  await board.move('Linden School', 'Done')
  await board.isDone()
  await board.show('Timeline')
  await expect(page.getByLabel('What happened, newest first')).toContainText('Linden School: Done: the office has it')
  const canvas = page.getByRole('img', { name: /Each change as a bar/ })
  const picture = () => canvas.evaluate((canvas) => (canvas as HTMLCanvasElement).toDataURL())
  const first = await picture()
  await expect.poll(picture, { message: 'the timeline moves' }).not.toBe(first)
  await page.getByRole('button', { name: 'Hold' }).click()
  const held = await picture()
  await page.waitForTimeout(300)
  expect(await picture()).toBe(held)

  const downloading = page.waitForEvent('download')
  await page.getByRole('button', { name: 'Recording' }).click()
  const download = await downloading
  expect(download.suggestedFilename()).toMatch(/^outbox-recording-.*\.json$/)
  const recording = await readFile(await download.path(), 'utf8')
  const { config, inputs } = JSON.parse(recording) as { config: object; inputs: unknown[] }
  expect(config).toHaveProperty('mutators')
  expect(inputs.length).toBeGreaterThan(4)
})
