// Somebody who plays with the board as a seed says, keeps a note of all that was written, and knows in the end what the
// office must have.
import { expect, type BrowserContext, type Locator } from '@playwright/test'

import { Board } from './board.ts'
import type { Office, Visit } from './office.ts'

const COLUMNS = { planned: 'Planned', onTheWay: 'On the way', onSite: 'On site', done: 'Done' }
type Status = keyof typeof COLUMNS
const SWITCHES = ['Offline', 'Slow office', 'Lose replies', 'Busy office'] as const

/** What was written of a visit, last. */
type Written = Partial<Pick<Visit, 'status' | 'note'>>

export class Player {
  /** What was done, in words, for a test that failed. */
  readonly story: string[] = []
  readonly #written = new Map<string, Written>()
  /** Whose changes were refused or taken back: what becomes of these depends on when. */
  readonly #doubtful = new Set<string>()
  #boards: Board[]
  #count = 0

  constructor(
    private readonly random: () => number,
    first: Board,
    private readonly context: BrowserContext,
    private readonly office: Office,
  ) {
    this.#boards = [first]
  }

  /** One thing that comes to their mind. */
  async plays(): Promise<void> {
    const board = this.#one(this.#boards)
    await board.page.bringToFront()
    const whims: [number, string, () => Promise<void>][] = [
      [5, 'moves', () => this.#moves(board)],
      [4, 'writes a note', () => this.#writes(board)],
      [3, 'clicks fast', () => this.#clicksFast(board)],
      [3, 'turns a switch', () => this.#turns(board)],
      [2, 'reloads', () => board.reload()],
      [2, 'crashes a tab', () => this.#crashes(board)],
      [2, 'opens or closes a tab', () => this.#opensOrCloses(board)],
      [1, 'lets the login expire', () => this.#letsLoginExpire(board)],
      [2, 'logs in', () => this.#logsIn(board)],
      [1, 'has a visit refused', () => this.#hasRefused(board)],
      [1, 'takes back', () => this.#takesBack(board)],
      [1, 'ends the office for a moment', () => this.#endsOffice()],
    ]
    let at = this.random() * whims.reduce((sum, [weight]) => sum + weight, 0)
    const [, words, whim] = whims.find(([weight]) => (at -= weight) < 0) ?? whims[0]!
    this.story.push(`${this.#boards.indexOf(board)} ${words}`)
    await whim()
  }

  /** All trouble ends: then the office must have everything, and every tab must show what the office has. */
  async hasLostNothing(): Promise<void> {
    const [board] = this.#boards as [Board]
    await board.page.bringToFront()
    // Another tab may have made trouble that this one has not heard of yet.
    await expect(() => this.#mends(board)).toPass({ timeout: 90_000 })
    for (const one of this.#boards) {
      await one.page.bringToFront()
      await expect(one.summary).toHaveText('The office has everything', { timeout: 60_000 })
    }
    for (const [customer, written] of this.#written) {
      if (!this.#doubtful.has(customer)) await this.office.has(customer, written)
    }
    const visits = await this.office.visits()
    for (const one of this.#boards) {
      await one.page.bringToFront()
      await one.show('Visits')
      for (const { customer, status, note } of visits) {
        await expect(one.column(COLUMNS[status as Status]).getByRole('article', { name: customer, exact: true })).toBeVisible()
        await expect(one.card(customer)).toContainText(note)
      }
      expect(one.errors, 'errors of the page').toEqual([])
    }
  }

  #one<T>(all: readonly T[]): T {
    return all[Math.floor(this.random() * all.length)] as T
  }

  async #visit(): Promise<string> {
    return this.#one(await this.office.customers())
  }

  #note(customer: string, written: Written): void {
    this.#written.set(customer, { ...this.#written.get(customer), ...written })
    this.story.push(`  ${customer}: ${JSON.stringify(written)}`)
  }

  async #moves(board: Board): Promise<void> {
    const customer = await this.#visit()
    const status = this.#one(Object.keys(COLUMNS)) as Status
    await board.tryToMove(customer, COLUMNS[status])
    this.#note(customer, { status })
    await this.#isStored(board)
  }

  async #writes(board: Board): Promise<void> {
    const customer = await this.#visit()
    const note = `note ${(this.#count += 1)}.`
    await board.tryToNote(customer, note)
    this.#note(customer, { note })
    await this.#isStored(board)
  }

  /** Nothing is waited for. */
  async #clicksFast(board: Board): Promise<void> {
    const customers = [await this.#visit(), await this.#visit()]
    for (let click = 0; click < 8; click += 1) {
      const customer = this.#one(customers)
      const status = this.#one(Object.keys(COLUMNS)) as Status
      await board.tryToMove(customer, COLUMNS[status])
      this.#note(customer, { status })
    }
    await this.#isStored(board)
  }

  /** What is not stored may be lost by a crash, and can be overtaken by another tab. */
  async #isStored(board: Board): Promise<void> {
    await expect(board.page.locator('.card').getByText('Being stored on this device')).toHaveCount(0)
  }

  async #turns(board: Board): Promise<void> {
    const name = this.#one(SWITCHES)
    await board.trouble(name, this.random() < 0.5)
  }

  async #crashes(board: Board): Promise<void> {
    await board.press('Crash this tab')
    await board.page.getByRole('link', { name: 'Open the board again' }).click()
    await board.isThere()
  }

  async #opensOrCloses(board: Board): Promise<void> {
    if (this.#boards.length > 1 && this.random() < 0.5) {
      this.#boards = this.#boards.filter((other) => other !== board)
      expect(board.errors, 'errors of the page').toEqual([])
      await board.page.close()
    } else if (this.#boards.length < 3) {
      const opening = this.context.waitForEvent('page')
      await board.press('Open another tab')
      const other = new Board(await opening, this.office)
      await other.isThere()
      await board.show('Visits')
      this.#boards.push(other)
    }
  }

  async #letsLoginExpire(board: Board): Promise<void> {
    await board.show('Trouble')
    await ifThere(board.page.getByRole('button', { name: 'Expire the login' }))
    await board.show('Visits')
  }

  async #logsIn(board: Board): Promise<void> {
    await ifThere(board.page.getByRole('button', { name: 'Log in' }))
  }

  async #hasRefused(board: Board): Promise<void> {
    const customer = await this.#visit()
    this.#doubtful.add(customer)
    await board.refuse(customer)
    await board.tryToMove(customer, this.#one(Object.values(COLUMNS)))
    await this.#isStored(board)
  }

  async #takesBack(board: Board): Promise<void> {
    await board.show('Outbox')
    const first = board.pending.first().getByRole('button')
    const label = await first.getAttribute('aria-label', { timeout: 500 }).catch(() => null)
    const customer = /^Take back (.*): /.exec(label ?? '')?.[1]
    if (customer !== undefined) {
      this.#doubtful.add(customer)
      await ifThere(board.page.getByRole('button', { name: label as string, exact: true }))
    }
    await board.show('Visits')
  }

  /** What it was asked to make of trouble, it has forgotten then. */
  async #endsOffice(): Promise<void> {
    await this.office.die()
    await this.office.comeBack()
  }

  async #mends(board: Board): Promise<void> {
    for (const name of SWITCHES) await board.trouble(name, false)
    await board.refuse('None')
    await this.#logsIn(board)
    await board.show('Outbox')
    await ifThere(board.page.getByRole('list', { name: 'Refused by the office' }).getByRole('button', { name: 'Dismiss' }))
    await expect(board.summary).toHaveText('The office has everything', { timeout: 500 })
  }
}

/** Clicks on what may be gone, or may not be clicked any more, by the time that the mouse is there. */
async function ifThere(button: Locator): Promise<void> {
  if (await button.count() > 0) await button.first().click({ timeout: 1_000 }).catch(() => {})
}
