// What each test is given: an office, a browser profile, and the board open in a tab of it.
import { test as base } from '@playwright/test'

import { Board } from './board.ts'
import { Office } from './office.ts'

interface Given {
  office: Office
  board: Board
  /** Another tab of the same profile. */
  another(): Promise<Board>
}

export const test = base.extend<Given>({
  office: async ({}, use) => {
    const office = await Office.start()
    await use(office)
    await office.stop()
  },
  board: async ({ page, office }, use) => {
    const board = new Board(page, office)
    await board.open()
    await use(board)
    expect(board.errors, 'errors of the page').toEqual([])
  },
  another: async ({ context, office, board: _ }, use) => {
    await use(async () => {
      const board = new Board(await context.newPage(), office)
      await board.open()
      return board
    })
  },
})

export const { expect } = base
