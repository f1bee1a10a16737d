// The board in a tab: what a person does there, on a desktop or a phone, and what they can see.
import { expect, type Locator, type Page } from '@playwright/test'

import type { Office } from './office.ts'

export type Part = 'Visits' | 'Outbox' | 'Trouble' | 'Timeline'

export class Board {
  /** What went wrong in the page. */
  readonly errors: string[] = []

  constructor(readonly page: Page, private readonly office: Office) {
    page.on('pageerror', (error) => this.errors.push(String(error)))
    page.on('console', (message) => {
      // The browser's own words for an answer that was trouble.
      const isTrouble = message.text().startsWith('Failed to load resource')
      if (message.type() === 'error' && !isTrouble) this.errors.push(message.text())
    })
  }

  async open(): Promise<void> {
    await this.page.goto(this.office.url)
    await this.isThere()
  }

  async reload(): Promise<void> {
    await this.page.reload()
    await this.isThere()
  }

  async isThere(): Promise<void> {
    await expect(this.card('Harbour Bakery')).toBeVisible()
  }

  get isPhone(): boolean {
    return (this.page.viewportSize()?.width ?? 0) < 1_000
  }

  /** On a phone one part is shown at a time. */
  async show(part: Part): Promise<void> {
    if (!this.isPhone) return
    await this.page.getByRole('navigation', { name: 'Parts of the page' }).getByRole('button', { name: part }).click()
  }

  card(customer: string): Locator {
    return this.page.getByRole('article', { name: customer, exact: true })
  }

  column(words: string): Locator {
    return this.page.getByRole('region', { name: words })
  }

  /** What is said about the pending change of a visit. */
  state(customer: string): Locator {
    return this.card(customer).locator('.state')
  }

  get pending(): Locator {
    return this.page.getByRole('list', { name: 'Pending changes' }).getByRole('listitem')
  }

  get summary(): Locator {
    return this.page.locator('.summary')
  }

  /** Moves a visit that will not stay there. */
  async tryToMove(customer: string, column: string): Promise<void> {
    await this.show('Visits')
    await this.page.getByLabel(`Column of ${customer}`).selectOption({ label: column })
  }

  async move(customer: string, column: string): Promise<void> {
    await this.tryToMove(customer, column)
    await expect(this.column(column).getByRole('article', { name: customer, exact: true })).toBeVisible()
  }

  /** Writes a note that will not stay there. */
  async tryToNote(customer: string, text: string): Promise<void> {
    await this.show('Visits')
    await this.page.getByRole('button', { name: `Edit ${customer}` }).click()
    await this.page.getByRole('textbox', { name: 'Note' }).fill(text)
    await this.page.getByRole('button', { name: 'Save' }).click()
  }

  async note(customer: string, text: string): Promise<void> {
    await this.tryToNote(customer, text)
    await expect(this.card(customer)).toContainText(text)
  }

  /** Turns one of the panel's switches, unless it is there already. */
  async trouble(name: 'Offline' | 'Slow office' | 'Lose replies' | 'Busy office', isOn: boolean): Promise<void> {
    await this.show('Trouble')
    const knob = this.page.getByRole('switch', { name })
    if (await knob.isChecked() !== isOn) {
      const told = name === 'Offline' ? undefined : this.told('PUT', '/trouble')
      await knob.setChecked(isOn)
      await told
    }
    await this.show('Visits')
  }

  /** `None`: no visit is refused any longer. */
  async refuse(customer: string): Promise<void> {
    await this.show('Trouble')
    const list = this.page.getByLabel('Refuse a visit')
    if (await list.locator('option:checked').textContent() !== customer) {
      const told = this.told('PUT', '/trouble')
      await list.selectOption({ label: customer })
      await told
    }
    await this.show('Visits')
  }

  async press(name: 'Expire the login' | 'Crash this tab' | 'Open another tab'): Promise<void> {
    await this.show('Trouble')
    const told = name === 'Expire the login' ? this.told('PUT', '/trouble') : undefined
    await this.page.getByRole('button', { name }).click()
    await told
  }

  /** The office's count of this kind. */
  async count(words: 'arrived at the office' | 'took effect' | 'repeats, answered as before'): Promise<number> {
    const term = this.page.locator('.tally div', { hasText: words }).locator('dd')
    return Number(await term.textContent())
  }

  /** Waits until nothing is pending. */
  async isDone(): Promise<void> {
    await expect(this.summary).toHaveText('The office has everything', { timeout: 15_000 })
  }

  private told(method: string, path: string): Promise<unknown> {
    return this.page.waitForResponse((response) => response.request().method() === method && response.url().endsWith(path))
  }
}
